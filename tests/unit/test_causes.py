from __future__ import annotations

import inspect
import string
from typing import Any

import pytest

from rosterwatch import diagnosis, entry, rules
from rosterwatch.cause import Cause, Owner, Scope
from rosterwatch.causes import CAUSES, ORDER
from rosterwatch.district import SecretTrouble
from rosterwatch.mail import SUBJECT_LENGTH
from rosterwatch.providers import PROVIDERS
from rosterwatch.wording import Wording
from tests.unit.observations import CASES, diagnosis_of

# What the catalogue knows and a diagnosis of one visit does not name, and why.
NOT_DIAGNOSED = {
    "monitor_network": "one visit cannot tell our own network from a host's: it takes several hosts at once",
    "flapping": "it takes several visits",
}

# The facts that a template may hold, by where they come from.
EVERY_VISIT = {"district", "secret", "provider", "product", "url", "host", "port", "version", "database_year", "seconds"}
EVERY_VISIT |= {"credentials", "either", "revoked"}
FACTS_OF_A_SECRET = {"district", "secret", "mistake", "mistakes"}
FACTS_OF_COLLECTIONS = {"collections", "boxes", "envelope", "target", "status"}
FACTS_OF_ONE_CAUSE = {
    "location",
    "retry_after",
    "days",
    "expires_on",
    "offset",
    "scopes",
    "term_begins",
    "status",
    "target",
    "ending",
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def templates(cause: Cause) -> list[str]:
    steps = [step for step in cause.next_steps if not step.startswith("@")]
    worded = [step[1:] for step in cause.next_steps if step.startswith("@")]
    return [
        cause.headline,
        *steps,
        *(text for provider in PROVIDERS.values() for name in worded for text in getattr(provider.wording, name)),
    ]


def test_every_cause_has_a_visit_that_leads_to_it_or_a_reason_why_none_does() -> None:
    assert set(CASES) | set(NOT_DIAGNOSED) == set(CAUSES)
    assert not set(CASES) & set(NOT_DIAGNOSED)


def test_every_name_that_a_diagnosis_can_give_is_in_the_catalogue() -> None:
    tables = (rules.IN_FRONT, rules.AT_TOKEN, rules.AT_COLLECTION, rules.AT_CERTIFICATE)
    named = {cause for table in tables for _, cause in table} | set(rules.BY_FAULT.values()) | {t.value for t in SecretTrouble}
    assert named - set(CAUSES) == {rules.REFUSED, "token_path_missing"}
    source = inspect.getsource(rules) + inspect.getsource(diagnosis) + inspect.getsource(entry)
    assert not [name for name in set(CAUSES) - named - set(NOT_DIAGNOSED) if f'"{name}"' not in source]


def test_the_order_of_repair_is_the_order_of_the_catalogue() -> None:
    assert list(ORDER) == list(CAUSES)
    assert list(ORDER.values()) == list(range(len(CAUSES)))


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: str(cause.name))
def test_an_entry_is_whole(cause: Cause) -> None:
    assert cause.name.isascii()
    assert cause.name.replace("_", "").isalpha()
    assert cause.patience >= 1
    assert cause.next_steps
    assert not cause.headline.endswith(".")
    if cause.scope is Scope.OURSELVES:
        assert cause.owner is Owner.US


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: str(cause.name))
def test_every_step_that_refers_to_the_providers_wording_finds_it(cause: Cause) -> None:
    fields = {name for name in Wording.__dataclass_fields__ if name not in ("product", "record", "credentials_page")}
    assert {step[1:] for step in cause.next_steps if step.startswith("@")} <= fields


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: str(cause.name))
def test_every_placeholder_is_a_fact_that_is_gathered(cause: Cause) -> None:
    used: set[str] = set().union(*(placeholders(text) for text in templates(cause)))
    if cause.name in set(SecretTrouble):
        assert used <= FACTS_OF_A_SECRET
    else:
        assert used <= EVERY_VISIT | FACTS_OF_COLLECTIONS | FACTS_OF_ONE_CAUSE
    if cause.name in CASES:
        facts: Any = next(finding for finding in diagnosis_of(cause.name).findings if finding.cause is cause).facts
        assert used - set(facts) <= {"term_begins", "retry_after"}


@pytest.mark.parametrize("cause", CASES)
def test_a_headline_fits_the_subject_of_a_mail(cause: str) -> None:
    assert len(diagnosis_of(cause).findings[0].headline) <= SUBJECT_LENGTH


@pytest.mark.parametrize(
    "cause", [cause for cause in CAUSES.values() if cause.owner is Owner.DISTRICT], ids=lambda cause: str(cause.name)
)
def test_what_is_the_districts_move_never_asks_for_a_command_of_ours(cause: Cause) -> None:
    assert not any("aws " in text or "sam " in text for text in templates(cause))
