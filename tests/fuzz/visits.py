"""Visits that saw anything at all, judged, stored, told in every dialect and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, Final, TypeVar

from rosterwatch import oneroster, popup, widget
from rosterwatch.alerts import render
from rosterwatch.board import BoardStore
from rosterwatch.body import IMSX_CODES, OAUTH_ERRORS
from rosterwatch.case import Known
from rosterwatch.cause import Severity
from rosterwatch.causes import CAUSES
from rosterwatch.diagnosis import diagnose
from rosterwatch.digest import digest
from rosterwatch.district import SecretFault, SecretTrouble
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.health import Lesson, Transition, advance
from rosterwatch.incidents import Fleet
from rosterwatch.links import DIALECTS, Links
from rosterwatch.markup import Frame
from rosterwatch.matrix import View, make_row
from rosterwatch.notices import reconcile
from rosterwatch.observation import (
    Body,
    BodyKind,
    Collection,
    CollectionState,
    Dialect,
    Exchange,
    Fault,
    Observation,
    Page,
    Phase,
    Redirect,
    SystemInfo,
    Term,
    Token,
    TokenAttempt,
)
from rosterwatch.providers import PROVIDERS
from rosterwatch.report import steps_of_visit, to_json
from rosterwatch.snapshot import PLACES, snapshot
from rosterwatch.state import StateStore
from tests.fuzz.chance import MARKUP, PLANTED, Chance
from tests.table import TABLE, Table
from tests.unit.test_alerts import check

_AT: Final = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)
_DAYS: Final = (date.min, date(2026, 8, 12), date(2026, 10, 6), date(2026, 12, 18), date(2027, 6, 4), date.max)
_TIMES: Final = (
    datetime.min.replace(tzinfo=UTC),
    _AT - timedelta(days=400),
    _AT,
    _AT + timedelta(days=9),
    datetime.max.replace(tzinfo=UTC),
)
_SECONDS: Final = (0.0, 0.4, 1.0, 299.0, 301.0, 1e6, 2.5e11)
_STATUSES: Final = (
    100,
    101,
    200,
    201,
    204,
    301,
    302,
    400,
    401,
    403,
    404,
    405,
    406,
    408,
    410,
    418,
    429,
    500,
    501,
    502,
    503,
    504,
    599,
    999,
)
_CODES: Final = (None, *sorted(OAUTH_ERRORS | IMSX_CODES))
_SCHEMES: Final = ("basic", "bearer", "negotiate", "ntlm", "digest")
_COLLECTIONS: Final = oneroster.REQUIRED + oneroster.OPTIONAL
#: A district may be called anything that a secret may be called.
_NAMES: Final = ("springfield", "a", "x/y+z=.@-_", "D" * 500, PLANTED)
_LINKS: Final = Links(
    "us-east-1", "rosterwatch-dispatch-districts", "rosterwatch/", "Rosterwatch", "https://docs.example.org/causes"
)
_FRAME: Final = Frame(_AT, dark=False, endpoint="arn:aws:lambda:us-east-1:123456789012:function:x", secret_prefix="rosterwatch/")
SNS_BYTES: Final = 256 * 1024
T = TypeVar("T")


def _maybe(chance: Chance, value: T) -> T | None:
    return value if chance.randrange(2) else None


def _exchange(chance: Chance, phase: Phase, target: str) -> Exchange:
    milliseconds = chance.choice((0, 120, 10_001, 10**9))
    if chance.one_in(3):
        return Exchange(phase, target, milliseconds, fault=chance.choice(list(Fault)))
    status = chance.choice(_STATUSES) if chance.randrange(3) else 200
    kind = chance.choice(list(BodyKind))
    dialect = _maybe(chance, chance.choice(list(Dialect))) if kind is BodyKind.OBJECT else None
    code = chance.choice(_CODES) if dialect in (Dialect.OAUTH, Dialect.STATUS_INFO_SET, Dialect.IMSX) else None
    page = chance.choice(list(Page)) if kind in (BodyKind.HTML, BodyKind.TEXT) else None
    host = chance.choice((None, "sso.example.net", "sis.example.org", "тест.example"))
    redirect = Redirect(host, *(chance.randrange(2) > 0 for _ in range(3))) if 300 <= status < 400 else None
    challenges = frozenset(scheme for scheme in _SCHEMES if chance.one_in(5))
    waits = chance.choice(_SECONDS) if chance.one_in(4) else None
    skew = chance.choice((1, -1)) * chance.choice(_SECONDS) if chance.randrange(2) else None
    body = Body(kind, chance.choice((0, 90, 2**20 + 1)), dialect, code, page)
    return Exchange(phase, target, milliseconds, None, status, body, redirect, challenges, waits, skew)


def _token(chance: Chance, like: Exchange | None) -> Token:
    targets = ("/token", "/oauth/token", "/ims/oneroster/token", "id.example.net/token")
    attempts = tuple(
        TokenAttempt("token", like or _exchange(chance, Phase.TOKEN, chance.choice(targets)), granted=chance.one_in(3))
        for _ in range(chance.randrange(4))
    )
    scopes = tuple(f"https://purl.example.org/scope/{name}.readonly" for name in ("roster-core", "roster-demographics"))
    asked = scopes[: chance.randrange(3)]
    flags = [chance.randrange(2) > 0 for _ in range(4)]
    return Token(attempts, asked[: chance.randrange(3)], flags[0], asked, flags[1], flags[2], accepted=flags[2] and flags[3])


def _collections(chance: Chance, like: Exchange | None) -> tuple[Collection, ...]:
    states = list(CollectionState) if chance.randrange(2) else [chance.choice(list(CollectionState))]
    found = []
    for name in _COLLECTIONS:
        state = chance.choice(states)
        exchange = (
            None
            if state is CollectionState.UNTESTED
            else replace(like or _exchange(chance, Phase.COLLECTION, "/x"), target=f"/{name}")
        )
        records = chance.choice((0, 1, 2, 50)) if state is CollectionState.OK else 0
        total = _maybe(chance, chance.choice((0, 880, 999_999_999)))
        required = name in oneroster.REQUIRED and not chance.one_in(20)
        malformed = state is CollectionState.BROKEN and chance.one_in(2)
        found.append(Collection(name, required, state, records, total, exchange, chance.choice((None, None, "user")), malformed))
    return tuple(found)


def _terms(chance: Chance) -> tuple[Term, ...]:
    days = sorted(chance.choice(_DAYS) for _ in range(2 * chance.randrange(3)))
    return tuple(Term(first, last) for first, last in zip(days[::2], days[1::2], strict=True))


def observation(chance: Chance, name: str, at: datetime) -> Observation:
    """A visit that saw anything that an ``Observation`` can hold. Half of them saw the same of everything."""
    like = _exchange(chance, Phase.COLLECTION, "/x") if chance.one_in(2) else None
    host = chance.choice(("sis.example.org", "a.example.net", "::1", "h" * 250))
    version = SystemInfo(
        chance.choice((None, "9.26.11.3")), chance.choice((None, "2026-2027", "0000-9999")), chance.choice((None, -600.0, 2.5e11))
    )
    return Observation(
        district=name,
        provider=chance.choice(list(PROVIDERS)),
        base_url=f"https://{f'[{host}]' if ':' in host else host}/{chance.choice(('aeries', MARKUP, 'p' * 3_000))}",
        host=host,
        at=at,
        milliseconds=chance.choice((0, 1_500, 10**9)),
        requests=chance.randrange(20),
        url_changes=tuple(f"dropped {chance.choice(('the page x.aspx', MARKUP, 'q' * 5_000))}" for _ in range(chance.randrange(3))),
        systeminfo=_maybe(chance, _exchange(chance, Phase.SYSTEMINFO, "/api/v5/systeminfo")),
        system=_maybe(chance, version),
        token=_maybe(chance, _token(chance, like)) if chance.one_in(3) else _granted(chance),
        collections=_collections(chance, like) if chance.randrange(8) else (),
        certificate=_maybe(chance, _exchange(chance, Phase.CERTIFICATE, "/api/v5/schools")),
        terms=_terms(chance),
        tls_expires_at=_maybe(chance, chance.choice(_TIMES)),
        tls_host=_maybe(chance, host),
        token_url=_maybe(chance, "https://id.example.net/token"),
        site=_maybe(chance, _exchange(chance, Phase.COLLECTION, "/orgs")),
        signed=chance.one_in(4),
        expires_on=_maybe(chance, chance.choice(_DAYS)),
    )


def _granted(chance: Chance) -> Token:
    return Token(
        (TokenAttempt("token", Exchange(Phase.TOKEN, "/token", 9, status=200, body=Body(BodyKind.OBJECT, 9)), granted=True),)
    )


def known(chance: Chance, name: str) -> Known:
    """Anything that may be known from before."""
    return Known(
        f"rosterwatch/{name}",
        pair_worked=chance.choice((None, True, False)),
        pair_worked_at=_maybe(chance, chance.choice(_TIMES)),
        secret_changed_at=_maybe(chance, chance.choice(_TIMES)),
        previous_works=chance.choice((None, True, False)),
        baseline={name: chance.choice((0, 1_000, 10**9)) for name in _COLLECTIONS if chance.one_in(2)},
        looks_like_certificate=chance.one_in(3),
        terms=_terms(chance),
    )


def _seen(chance: Chance, name: str, at: datetime) -> Observation | SecretFault:
    if chance.randrange(10):
        return observation(chance, name, at)
    mistakes = tuple(
        chance.choice(('field "x" is unknown', MARKUP, "m" * 3_000, "{district}")) for _ in range(chance.randrange(40))
    )
    return SecretFault(name, chance.choice(list(SecretTrouble)), mistakes)


def _check_diagnosis(found: Diagnosis) -> None:
    assert all(CAUSES[finding.cause.name] is finding.cause for finding in found.findings)
    severities = [finding.cause.severity for finding in found.findings]
    assert severities == sorted(severities, reverse=True)
    if found.primary is None:
        assert found.status is Status.HEALTHY
    else:
        assert found.primary is found.findings[0]
        assert found.primary.cause.severity > Severity.NOTE
        failing = Status.FAILING if found.primary.cause.severity is Severity.PAGE else Status.DEGRADED
        assert found.status in (failing, Status.UNKNOWN)
    for finding in found.findings:
        assert finding.headline.strip()
        assert finding.next_steps or finding.cause.severity is Severity.NOTE
        assert "{" not in finding.headline.replace("{district}", "")


def judged(chance: Chance) -> None:
    """Whatever a visit saw has causes of the catalogue, always the same ones, and a status that goes with them."""
    name = chance.choice(_NAMES)
    seen, before = _seen(chance, name, _AT), known(chance, name)
    found = diagnose(seen, before)
    assert found == diagnose(seen, before)
    _check_diagnosis(found)
    if isinstance(seen, Observation):
        json.dumps(to_json(seen, found), allow_nan=False)
        assert all(steps_of_visit(seen))
        assert len(snapshot(seen).cells) == len(PLACES)
        if found.status is Status.HEALTHY and found.findings == ():
            assert all(one.state in (CollectionState.OK, CollectionState.EMPTY) for one in seen.collections if one.required)


def told(chance: Chance) -> None:
    """Every message, item and page that is made of what was seen keeps its limits."""
    name, table, state = chance.choice(_NAMES), Table(), None
    states, board, at = StateStore(table.client, TABLE), BoardStore(table.client, TABLE), _AT
    seen, before = _seen(chance, name, at), known(chance, name)
    for _ in range(chance.randrange(1, 4)):
        found = diagnose(seen, before)
        lesson = Lesson(host=seen.host, snapshot=snapshot(seen), terms=seen.terms) if isinstance(seen, Observation) else Lesson()
        state, transition = advance(state, name, found, lesson, at)
        assert states.write(state, transition)
        assert states.read([name]) == {name: state}
        _check_told(transition)
        at += timedelta(minutes=chance.choice((1, 15, 300)))
        if chance.one_in(3):
            seen = _seen(chance, name, at)
    _check_alerts(board, at)
    assert state is not None
    row = make_row(name, state, (), (), _FRAME.now, timedelta(minutes=45))
    if chance.one_in(4):
        check_html(widget.render([row], View("all"), _FRAME))
        check_html(popup.render(row, states.history(name, 5), _FRAME))
    assert max(len(json.dumps(item)) for item in table.items.values()) < 100_000  # an item may have 400 KB


def _check_told(transition: Transition | None) -> None:
    if transition is not None and transition.finding is not None:
        assert transition.finding.cause.severity > Severity.NOTE


def _check_alerts(board: BoardStore, at: datetime) -> None:
    """What is open is told in every dialect, within what SNS takes."""
    read = board.read()
    assert not read.unread.names
    verdict = reconcile(read.problems, read.incidents, Fleet(5, 2), lambda _: False, at)
    for incident in verdict.incidents:
        assert board.write(incident)
        for notice in incident.pending:
            for dialect in DIALECTS:
                message = render(dialect, incident, notice, _LINKS)
                assert message == render(dialect, incident, notice, _LINKS)
                check(dialect, message)
                size = sum(len(f"{name}String{value}".encode()) for name, value in message.attributes.items())
                assert len(message.body.encode()) + size < SNS_BYTES
                assert "\n" not in message.subject
    assert board.read().incidents == tuple(sorted(verdict.incidents, key=lambda one: one.key))
    summary = digest(verdict.incidents, 5, at)
    assert len(summary.subject) <= 100
    assert len(summary.body.encode()) < SNS_BYTES


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("input", "br", "col", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def check_html(page: str) -> None:
    """No value has become markup: only our own tags are there, each is closed, and none runs anything."""
    tags = _Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    assert not tags.found & {"img", "script", "iframe", "object", "a0", "use"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert MARKUP not in page
