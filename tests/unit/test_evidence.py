from __future__ import annotations

import pytest

from rosterwatch import evidence
from rosterwatch.observation import Body, BodyKind, Exchange, Fault, Page, Phase, SystemInfo
from tests.unit.observations import answer, oauth, page, redirect, seen


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (answer(400, oauth("invalid_client")), "POST /token: 400 invalid_client, JSON, after 120 ms"),
        (answer(403, phase=Phase.COLLECTION, target="/users"), "GET /users: 403, JSON, after 120 ms"),
        (answer(200, page(Page.LOGIN)), "POST /token: 200, an HTML page (login), after 120 ms"),
        (
            answer(302, BodyKind.NONE, redirect=redirect(same_host=False)),
            "POST /token: 302, an empty body, redirecting to sso.example.net, after 120 ms",
        ),
        (
            answer(401, BodyKind.NONE, challenges=frozenset({"ntlm", "negotiate"})),
            "POST /token: 401, an empty body, asking for negotiate/ntlm, after 120 ms",
        ),
        (
            answer(429, Body(BodyKind.TEXT), retry_after=60.4),
            "POST /token: 429, text, to be retried after 60 s, after 120 ms",
        ),
        (Exchange(Phase.TOKEN, "/token", fault=Fault.CONNECT_REFUSED), "POST /token: the connection was refused"),
    ],
)
def test_one_exchange_is_told_in_one_line(exchange: Exchange, said: str) -> None:
    assert evidence.sentence(exchange) == said


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_words(fault: Fault) -> None:
    name, _, words = evidence.sentence(Exchange(Phase.COLLECTION, "/users", fault=fault)).partition(": ")
    assert name == "GET /users"
    assert words
    assert "_" not in words


@pytest.mark.parametrize("kind", list(BodyKind))
def test_every_kind_of_body_has_words(kind: BodyKind) -> None:
    assert evidence.sentence(answer(200, kind)).startswith("POST /token: 200, ")


def test_what_the_site_tells_without_a_credential() -> None:
    assert evidence.site(seen()) == "The site is up: systeminfo answers (version 9.24.1.1, school year 2026-2027)"
    assert evidence.site(seen(system=SystemInfo("9.24.1.1", None, None))) == "The site is up: systeminfo answers (version 9.24.1.1)"
    assert evidence.site(seen(systeminfo=None)) is None
    assert evidence.site(seen(system=None)) == "GET /api/v5/systeminfo: 200, JSON, after 120 ms (asked without credentials)"


def test_what_is_the_same_of_many_targets_is_told_once() -> None:
    lines = [f"GET /{name}: 403, JSON, after {n} ms" for n, name in enumerate(("orgs", "users", "terms", "courses", "classes"))]
    different = ["GET /students: 500, an HTML page (crash), after 3 ms", "GET /teachers: 404, JSON, after 4 ms"]
    assert evidence.alike([*lines, *different]) == ["GET /orgs: 403, JSON, after 0 ms; 4 more alike", *different]
    assert evidence.alike(lines[:3]) == lines[:3]
    assert evidence.alike([]) == []
