"""Why a visit was not let in, and how long its credentials still are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rosterwatch.case import Known
from rosterwatch.diagnosis import diagnose
from rosterwatch.finding import Diagnosis
from rosterwatch.health import Change, Lesson, advance
from rosterwatch.observation import BodyKind, CollectionState, Dialect, Exchange, Observation, Phase, Token, TokenAttempt
from tests.unit.observations import (
    AT,
    KNOWN,
    answer,
    collection,
    collections,
    granted,
    oauth,
    redirect,
    refused,
    seen,
    signed_refusal,
    turned_away,
)

WORKED = replace(KNOWN, pair_worked=True, pair_worked_at=AT - timedelta(hours=1))


def cause(visit: Observation, known: Known = KNOWN) -> str:
    first = diagnose(visit, known).primary
    return first.cause.name if first else "healthy"


def words(diagnosis: Diagnosis) -> str:
    return "\n".join(word for finding in diagnosis.findings for word in finding.evidence)


def plain(**facts: Any) -> Observation:
    """A visit to a product without systeminfo."""
    return turned_away(
        facts.pop("exchange", answer(404, BodyKind.HTML)), provider="generic_1_1", systeminfo=None, system=None, **facts
    )


def in_oneroster(status: int = 401, target: str = "/token") -> Exchange:
    return answer(status, replace(oauth("x"), dialect=Dialect.STATUS_INFO_SET, code="unauthorized"), target=target)


def test_signed_requests_that_are_all_refused_are_about_the_credentials() -> None:
    assert cause(signed_refusal()) == "credentials_wrong"
    assert cause(signed_refusal(), WORKED) == "credentials_revoked"
    assert "The same OAuth key and secret worked at" in words(diagnose(signed_refusal(), WORKED))


@pytest.mark.parametrize(
    ("offset", "expected"), [(301, "clock_skew_refused"), (-301, "clock_skew_refused"), (299, "credentials_wrong")]
)
def test_a_clock_that_is_off_explains_refused_signatures(offset: float, expected: str) -> None:
    diagnosis = diagnose(signed_refusal(clock_offset=float(offset)), WORKED if expected == "clock_skew_refused" else KNOWN)
    assert [finding.cause.name for finding in diagnosis.findings] == [expected]  # and is told once
    assert (f"{offset:+.0f} s off ours" in words(diagnosis)) is (expected == "clock_skew_refused")


def test_a_clock_explains_nothing_where_nothing_is_signed() -> None:
    refusal = turned_away(answer(401, oauth("invalid_client"), clock_offset=900.0))
    assert cause(refusal) == "credentials_wrong"


def test_what_stands_in_front_refuses_signed_requests_for_reasons_of_its_own() -> None:
    assert cause(signed_refusal(challenges=frozenset({"ntlm"}))) == "windows_authentication"


def test_signed_requests_that_are_refused_in_part_lack_a_permission_or_meet_what_is_in_the_way() -> None:
    per_request = Token((), per_request=True, accepted=True)
    one = collection("students", CollectionState.DENIED, answer(401))
    assert cause(seen(provider="classlink", token=per_request, collections=collections(students=one))) == "permission_missing"
    throttled = collection("users", CollectionState.BROKEN, answer(429))
    assert cause(seen(provider="classlink", token=replace(per_request, accepted=False), collections=(throttled,))) == "throttled"


def test_credentials_that_are_refused_after_their_day_have_expired() -> None:
    ended = turned_away(answer(401, oauth("invalid_client")), expires_on=AT.date() - timedelta(days=1))
    assert cause(ended, WORKED) == "credentials_expired"
    assert cause(replace(ended, expires_on=AT.date()), WORKED) == "credentials_revoked"


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (61, None),
        (60, "end within 60 days"),
        (31, "end within 60 days"),
        (30, "end within 30 days"),
        (14, "end within 14 days"),
        (7, "end within 7 days"),
        (2, "end within 7 days"),
        (1, "end tomorrow"),
        (0, "end today"),
        (-3, "should have ended, and still work"),
    ],
)
def test_the_end_of_credentials_is_told_in_steps(days: int, said: str | None) -> None:
    diagnosis = diagnose(seen(expires_on=AT.date() + timedelta(days=days)), KNOWN)
    headlines = [finding.headline for finding in diagnosis.findings]
    on = (AT.date() + timedelta(days=days)).isoformat()
    assert headlines == ([f"The Consumer ID and Secret {said} ({on})"] if said else [])


def test_each_step_is_news_and_the_days_between_are_not() -> None:
    state, told = None, []
    for days in range(61, -1, -1):
        at = AT + timedelta(days=61 - days)
        diagnosis = diagnose(seen(at=at, expires_on=AT.date() + timedelta(days=61), tls_expires_at=None), KNOWN)
        state, transition = advance(state, "springfield", diagnosis, Lesson(), at)
        if transition is not None:
            told.append((days, transition.change))
    assert told == [(61, Change.FIRST_SEEN), (60, Change.OPENED), *((days, Change.CHANGED) for days in (30, 14, 7, 1, 0))]


def test_scopes_are_evidence_where_a_good_token_is_not_enough() -> None:
    forbidden = collections(users=collection("users", CollectionState.DENIED, answer(403)))
    asked = ("https://purl.example.org/scope/roster-core.readonly", "x:demographics")

    def evidence(**token: Any) -> str:
        return words(diagnose(seen(token=granted(scopes_asked=asked, **token), collections=forbidden), KNOWN))

    assert "The token answer names every scope that was asked for (roster-core.readonly, x:demographics)" in evidence(
        scopes_named=True
    )
    assert "granted without x:demographics" in evidence(scopes_named=True, scopes_missing=asked[1:])
    assert "the token answer does not say which it grants" in evidence()
    assert "scope" not in words(diagnose(seen(token=granted(), collections=forbidden), KNOWN))


# --- where no token page is --------------------------------------------------------------------------------------------


def test_a_missing_token_page_is_told_from_a_wrong_base_url_by_a_look_at_the_data() -> None:
    there, gone = answer(401, phase=Phase.COLLECTION), answer(404, phase=Phase.COLLECTION)
    assert cause(plain(site=there)) == "token_url_wrong"
    assert cause(plain(site=gone)) == "wrong_base_url"
    assert cause(plain()) == "wrong_base_url"


def test_a_text_where_a_token_belongs_is_of_a_token_page_that_was_asked_wrongly() -> None:
    assert cause(plain(exchange=answer(200, BodyKind.TEXT))) == "token_url_wrong"
    assert cause(plain(exchange=answer(400, BodyKind.TEXT))) == "token_url_wrong"


def test_a_refusal_that_every_guess_gets_alike_is_no_verdict() -> None:
    everywhere = refused(in_oneroster(), in_oneroster(target="/oauth/token"))
    assert cause(plain(token=everywhere, site=answer(401, phase=Phase.COLLECTION))) == "token_url_wrong"
    below_the_data = refused(answer(404, BodyKind.HTML), in_oneroster(target="/ims/oneroster/token"))
    assert cause(plain(token=below_the_data, site=answer(401, phase=Phase.COLLECTION))) == "token_url_wrong"


def test_a_refusal_that_one_page_alone_gives_is_a_verdict_whatever_its_dialect() -> None:
    assert cause(plain(exchange=in_oneroster())) == "credentials_wrong"
    assert cause(plain(token=refused(answer(404, BodyKind.HTML), in_oneroster(target="/oauth/token")))) == "credentials_wrong"
    verdict = refused(in_oneroster(), in_oneroster(target="/b"), answer(401, oauth("invalid_client"), target="/c"))
    assert cause(plain(token=verdict)) == "credentials_wrong"


def test_a_redirect_of_the_token_page_beats_pages_that_are_missing() -> None:
    elsewhere = answer(307, redirect=redirect(same_host=False), target="/oauth2/token")
    assert cause(plain(token=refused(answer(404, BodyKind.HTML), elsewhere))) == "redirected_elsewhere"


def test_trouble_of_the_token_host_names_the_token_host() -> None:
    visit = plain(exchange=answer(500), token_url="https://accounts.example.net:8443/token")
    first = diagnose(visit, KNOWN).primary
    assert first is not None
    assert "accounts.example.net" in first.headline
    assert first.facts["port"] == "8443"


def test_the_certificate_that_ends_first_is_named_with_its_host() -> None:
    visit = seen(tls_expires_at=AT + timedelta(days=3), tls_host="accounts.example.net")
    first = diagnose(visit, KNOWN).primary
    assert first is not None
    assert "accounts.example.net" in first.headline


def test_a_dialect_is_remembered_only_if_there_is_one() -> None:
    assert Token((), per_request=True, accepted=True).dialect is None
    assert Token((TokenAttempt("token", answer(), granted=True),)).dialect == "token"
