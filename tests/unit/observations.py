"""Builders of what a visit saw, and for every cause one visit that must come out as it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from rosterwatch import oneroster, rules
from rosterwatch.case import Known
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import SecretFault, SecretTrouble
from rosterwatch.finding import Diagnosis
from rosterwatch.observation import (
    Body,
    BodyKind,
    Collection,
    CollectionState,
    Dialect,
    Exchange,
    Observation,
    Page,
    Phase,
    Redirect,
    SystemInfo,
    Term,
    Token,
    TokenAttempt,
)

AT: Final = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)  # a Tuesday in the school year 2026-2027
SUMMER: Final = datetime(2026, 7, 7, 14, 5, tzinfo=UTC)
YEAR: Final = (Term(date(2026, 8, 17), date(2026, 12, 18)), Term(date(2027, 1, 5), date(2027, 6, 4)))
KNOWN: Final = Known("rosterwatch/springfield")


def answer(status: int = 200, body: BodyKind | Body = BodyKind.OBJECT, *, phase: Phase = Phase.TOKEN, **facts: Any) -> Exchange:
    targets = {
        Phase.TOKEN: "/token",
        Phase.SYSTEMINFO: "/api/v5/systeminfo",
        Phase.CERTIFICATE: "/api/v5/schools",
        Phase.COLLECTION: "/orgs",
    }
    whole = body if isinstance(body, Body) else Body(body, 100)
    return Exchange(phase, facts.pop("target", targets[phase]), status=status, body=whole, milliseconds=120, **facts)


def page(kind: Page) -> Body:
    return Body(BodyKind.HTML, 2000, page=kind)


def oauth(code: str) -> Body:
    return Body(BodyKind.OBJECT, 60, Dialect.OAUTH, code)


def redirect(*, same_host: bool = True, to_https: bool = False, to_login: bool = False) -> Redirect:
    return Redirect("sis.example.org" if same_host else "sso.example.net", same_host, to_https, to_login)


def granted(**facts: Any) -> Token:
    return Token((TokenAttempt("token", answer(), granted=True),), **facts)


def refused(*exchanges: Exchange) -> Token:
    return Token(tuple(TokenAttempt("token", exchange, granted=False) for exchange in exchanges))


def collection(
    name: str, state: CollectionState = CollectionState.OK, exchange: Exchange | None = None, **facts: Any
) -> Collection:
    if exchange is None and state is not CollectionState.UNTESTED:
        status = 403 if state is CollectionState.DENIED else 200
        exchange = answer(status, phase=Phase.COLLECTION)
    if exchange is not None:
        exchange = replace(exchange, phase=Phase.COLLECTION, target="/" + name)
    facts = {"required": name in oneroster.REQUIRED, "records": int(state is CollectionState.OK), **facts}
    return Collection(name, state=state, exchange=exchange, **facts)


def collections(**different: Collection) -> tuple[Collection, ...]:
    """All collections, readable and filled, but for those that are named."""
    return tuple(different.get(name, collection(name)) for name in oneroster.REQUIRED + oneroster.OPTIONAL)


def broken(exchange: Exchange, *names: str) -> tuple[Collection, ...]:
    """All collections, of which the named ones are answered with this exchange."""
    state = CollectionState.DENIED if exchange.status in (401, 403) else CollectionState.BROKEN
    return collections(**{name: collection(name, state, exchange) for name in names})


def empty(*names: str) -> tuple[Collection, ...]:
    return collections(**{name: collection(name, CollectionState.EMPTY) for name in names})


def untested() -> tuple[Collection, ...]:
    return tuple(collection(name, CollectionState.UNTESTED) for name in oneroster.REQUIRED + oneroster.OPTIONAL)


def seen(**different: Any) -> Observation:
    """A visit that found everything in order, but for what is named."""
    facts: dict[str, Any] = {
        "district": "springfield",
        "provider": "aeries",
        "base_url": "https://sis.example.org/aeries",
        "host": "sis.example.org",
        "at": AT,
        "milliseconds": 1500,
        "requests": 14,
        "systeminfo": answer(phase=Phase.SYSTEMINFO),
        "system": SystemInfo("9.24.1.1", "2026-2027", 0.2),
        "token": granted(),
        "collections": collections(),
        "tls_expires_at": AT + timedelta(days=200),
    }
    return Observation(**{**facts, **different})


def turned_away(exchange: Exchange, **different: Any) -> Observation:
    """A visit that got no token."""
    return seen(**{"token": refused(exchange), "collections": untested(), **different})


def signed_refusal(**facts: Any) -> Observation:
    """A visit whose signed requests were refused, of which it sent two."""
    refusal = answer(401, phase=Phase.COLLECTION, **facts)
    asked = {name: collection(name, CollectionState.DENIED, refusal) for name in oneroster.REQUIRED[:2]}
    rest = {name: collection(name, CollectionState.UNTESTED) for name in oneroster.REQUIRED[2:] + oneroster.OPTIONAL}
    return seen(
        provider="classlink",
        systeminfo=None,
        system=None,
        token=Token((), per_request=True),
        collections=tuple({**asked, **rest}.values()),
        signed=True,
    )


def secret_fault(trouble: SecretTrouble, *mistakes: str) -> SecretFault:
    return SecretFault("springfield", trouble, mistakes or ("a mistake",))


_REFUSED: Final = turned_away(answer(400, oauth("invalid_client")))
_DOWN: Final = {
    cause: turned_away(
        Exchange(Phase.TOKEN, "/token", fault=fault), systeminfo=Exchange(Phase.SYSTEMINFO, "/api/v5/systeminfo", fault=fault)
    )
    for fault, cause in rules.BY_FAULT.items()
}
_ALL: Final = oneroster.REQUIRED


def _data(status: int, body: BodyKind | Body = BodyKind.OBJECT, *names: str) -> Observation:
    return seen(collections=broken(answer(status, body), *(names or ("users",))))


#: Cause -> a visit, and what was known before it, that must have this cause among its findings.
CASES: Final[dict[str, tuple[Observation | SecretFault, Known]]] = {
    "secret_missing": (secret_fault(SecretTrouble.MISSING), KNOWN),
    "secret_malformed": (secret_fault(SecretTrouble.MALFORMED, 'field "base_url" is missing: add it', "another"), KNOWN),
    "secret_access_denied": (secret_fault(SecretTrouble.ACCESS_DENIED), KNOWN),
    "secret_unreadable": (secret_fault(SecretTrouble.UNREADABLE), KNOWN),
    **{cause: (visit, KNOWN) for cause, visit in _DOWN.items()},
    "windows_authentication": (turned_away(answer(401, BodyKind.HTML, challenges=frozenset({"ntlm"}))), KNOWN),
    "redirected_to_https": (turned_away(answer(301, redirect=redirect(to_https=True))), KNOWN),
    "redirected_elsewhere": (turned_away(answer(302, redirect=redirect(same_host=False))), KNOWN),
    "redirected": (turned_away(answer(302, redirect=redirect())), KNOWN),
    "login_page": (turned_away(answer(302, redirect=redirect(to_login=True))), KNOWN),
    "throttled": (turned_away(answer(429, retry_after=120.0)), KNOWN),
    "maintenance": (turned_away(answer(503, page(Page.OFFLINE))), KNOWN),
    "blocked": (turned_away(answer(403, page(Page.BLOCKED))), KNOWN),
    "server_error": (turned_away(answer(500, page(Page.CRASH))), KNOWN),
    "credentials_revoked": (_REFUSED, replace(KNOWN, pair_worked=True, pair_worked_at=AT - timedelta(hours=1))),
    "credentials_rotated_badly": (_REFUSED, replace(KNOWN, pair_worked=False, previous_works=True)),
    "certificate_in_consumer_field": (_REFUSED, replace(KNOWN, pair_worked=False, looks_like_certificate=True)),
    "credentials_wrong": (_REFUSED, replace(KNOWN, pair_worked=False)),
    "clock_skew_refused": (signed_refusal(clock_offset=412.0), KNOWN),
    "credentials_expired": (replace(_REFUSED, expires_on=AT.date() - timedelta(days=1)), KNOWN),
    "credentials_expiring": (seen(expires_on=AT.date() + timedelta(days=14)), KNOWN),
    "token_url_wrong": (
        turned_away(
            answer(404, BodyKind.HTML),
            provider="generic_1_1",
            systeminfo=None,
            system=None,
            site=answer(401, phase=Phase.COLLECTION),
        ),
        KNOWN,
    ),
    "client_not_allowed": (turned_away(answer(400, oauth("unauthorized_client"))), KNOWN),
    "scope_refused": (turned_away(answer(400, oauth("invalid_scope"))), KNOWN),
    "our_bad_request": (turned_away(answer(400, oauth("unsupported_grant_type"))), KNOWN),
    "oneroster_disabled": (turned_away(answer(404, BodyKind.HTML)), KNOWN),
    "wrong_base_url": (turned_away(answer(404, BodyKind.HTML), systeminfo=answer(404, phase=Phase.SYSTEMINFO), system=None), KNOWN),
    "token_unclear": (turned_away(answer(400, BodyKind.TEXT)), KNOWN),
    "token_missing": (turned_away(answer(200, BodyKind.OBJECT)), KNOWN),
    "bearer_refused": (_data(401, BodyKind.OBJECT, *_ALL), KNOWN),
    "token_refused_in_part": (_data(401, BodyKind.OBJECT, "enrollments"), KNOWN),
    "not_oneroster": (_data(404, page(Page.OTHER), *_ALL), KNOWN),
    "oneroster_not_allowed": (_data(403, BodyKind.OBJECT, *_ALL), KNOWN),
    "permission_missing": (_data(403, BodyKind.OBJECT, "students", "enrollments"), KNOWN),
    "everything_empty": (seen(collections=empty(*_ALL)), KNOWN),
    "collection_missing": (_data(404), KNOWN),
    "envelope_missing": (_data(200), KNOWN),
    "records_without_id": (
        seen(collections=collections(users=collection("users", CollectionState.BROKEN, answer(), records=1, malformed=True))),
        KNOWN,
    ),
    "error_with_success": (_data(200, Body(BodyKind.OBJECT, 90, Dialect.IMSX, "unauthorized")), KNOWN),
    "truncated": (_data(200, BodyKind.TRUNCATED), KNOWN),
    "body_too_large": (_data(200, BodyKind.OVERSIZE), KNOWN),
    "encoded_unasked": (_data(200, BodyKind.ENCODED), KNOWN),
    "request_refused": (_data(400), KNOWN),
    "collection_failing": (_data(500), KNOWN),
    "wrong_school_year": (
        seen(collections=empty("terms"), terms=YEAR, at=datetime(2027, 9, 7, tzinfo=UTC), tls_expires_at=None),
        KNOWN,
    ),
    "wrong_terms": (seen(terms=YEAR[:1], at=datetime(2027, 4, 6, tzinfo=UTC), tls_expires_at=None), KNOWN),
    "collection_empty": (seen(collections=empty("courses")), KNOWN),
    "shrunk": (
        seen(collections=collections(users=collection("users", total=880))),
        replace(KNOWN, baseline={"users": 1000}),
    ),
    "api_certificate_wrong": (seen(certificate=answer(401, phase=Phase.CERTIFICATE)), KNOWN),
    "api_certificate_permission": (seen(certificate=answer(403, phase=Phase.CERTIFICATE)), KNOWN),
    "api_certificate_path": (seen(certificate=answer(404, phase=Phase.CERTIFICATE)), KNOWN),
    "api_certificate_unproved": (seen(certificate=answer(200, BodyKind.HTML, phase=Phase.CERTIFICATE)), KNOWN),
    "certificate_expiring": (seen(tls_expires_at=AT + timedelta(days=9)), KNOWN),
    "clock_skew": (seen(system=SystemInfo("9.24.1.1", "2026-2027", -600.0)), KNOWN),
    "slow": (
        seen(
            collections=collections(
                users=collection("users", exchange=replace(answer(phase=Phase.COLLECTION), milliseconds=12_000))
            )
        ),
        KNOWN,
    ),
    "scope_narrowed": (seen(token=granted(scopes_missing=("https://purl.example.org/scope/roster-core.readonly",))), KNOWN),
    "between_school_years": (seen(collections=empty("terms", "students"), terms=YEAR, at=SUMMER), KNOWN),
    "envelope_aliased": (seen(collections=collections(users=collection("users", envelope="user"))), KNOWN),
    "limit_ignored": (seen(collections=collections(users=collection("users", records=50))), KNOWN),
    "optional_unreadable": (_data(403, BodyKind.OBJECT, "demographics"), KNOWN),
    "unknown": (turned_away(answer(), token=None, systeminfo=None, system=None), KNOWN),
}

HEALTHY: Final = diagnose(seen(), KNOWN)


def diagnosis_of(cause: str) -> Diagnosis:
    return diagnose(*CASES[cause])
