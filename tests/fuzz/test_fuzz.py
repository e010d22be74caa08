"""A million inputs and more for everything that reads what strangers, operators or AWS hand us; each failure tells its number."""

from __future__ import annotations

from typing import Final

import pytest

from tests.fuzz.campaigns import CAMPAIGNS
from tests.proof import Part, Proof

#: How often each campaign is tried, quickly and in full.
AMOUNTS: Final = {
    "bodies": (600, 250_000),
    "tokens": (300, 120_000),
    "facts": (200, 60_000),
    "times": (400, 150_000),
    "words": (300, 100_000),
    "cookies": (100, 20_000),
    "secrets": (300, 60_000),
    "urls": (400, 100_000),
    "addresses": (400, 100_000),
    "messages": (300, 60_000),
    "files": (150, 20_000),
    "items": (60, 6_000),
    "events": (60, 10_000),
    "calendars": (300, 60_000),
    "mutes": (300, 60_000),
    "windows": (100, 20_000),
    "judged": (200, 40_000),
    "told": (60, 5_000),
    "answers": (10, 600),
}
FOREIGN: Final = ("bodies", "tokens", "facts", "times", "words", "cookies")
OURS: Final = ("secrets", "urls", "addresses", "messages", "files", "items", "events", "calendars", "mutes", "windows")


def _try(name: str, proof: Proof) -> None:
    campaign = CAMPAIGNS[name]
    quick, full = AMOUNTS[name]
    many = proof.amount(quick=quick, full=full)
    failures = campaign.run(many)
    proof.tried(many * campaign.inputs)
    assert not failures, "\n\n".join(failures)


def test_no_campaign_is_forgotten() -> None:
    assert {*FOREIGN, *OURS, "judged", "told", "answers"} == CAMPAIGNS.keys() == AMOUNTS.keys()
    assert sum(CAMPAIGNS[name].inputs * full for name, (_, full) in AMOUNTS.items()) >= 1_000_000


@pytest.mark.claim(
    "Whatever bytes and headers a server sends become members of closed lists, numbers and days, each readable only if it is what "
    "it says, and nothing planted among them is kept",
    part=Part.HOSTILE,
    how="fuzzed from seeds: bodies, tokens, systeminfo, terms, dates, challenges, redirects, totals, cookies, ends of certificates",
)
@pytest.mark.parametrize("name", FOREIGN)
def test_what_a_server_sends_is_read_or_left_alone(name: str, proof: Proof) -> None:
    _try(name, proof)


@pytest.mark.claim(
    "Whatever is stored, typed, pressed or queued is taken as it is meant or refused in words that hold none of its values; no "
    "address is let through that leads inside; a damaged item costs nobody but itself",
    part=Part.HOSTILE,
    how="fuzzed from seeds: secrets, URLs, addresses, messages, CSV files, items of the table, widget events, calendars, mutes",
)
@pytest.mark.parametrize("name", OURS)
def test_what_we_are_handed_is_taken_as_meant_or_refused(name: str, proof: Proof) -> None:
    _try(name, proof)


@pytest.mark.claim(
    "Whatever a visit saw has causes of the catalogue, always the same, with a status that goes with them",
    part=Part.HOSTILE,
    how="fuzzed from seeds: any observation, with anything known before",
)
def test_whatever_was_seen_has_a_cause(proof: Proof) -> None:
    _try("judged", proof)


@pytest.mark.claim(
    "Whatever a visit saw is told within what SNS takes in all four dialects, stored within what DynamoDB takes, and shown with "
    "every value escaped",
    part=Part.HOSTILE,
    how="fuzzed from seeds: any observation through judgement, state, incidents, messages and the dashboard's HTML",
)
def test_whatever_was_seen_can_be_told(proof: Proof) -> None:
    _try("told", proof)


@pytest.mark.integration
@pytest.mark.claim(
    "Whatever bytes answer a request, one request was sent to one place, and comes to one fault or one answer",
    part=Part.HOSTILE,
    how="real sockets, the real client: random bytes, spoilt HTTP, answers before, behind and inside of answers",
)
def test_whatever_bytes_answer_a_request(proof: Proof) -> None:
    _try("answers", proof)
