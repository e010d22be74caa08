"""Bodies, and what is read from them: records, tokens, systeminfo, terms."""

from __future__ import annotations

import json
from typing import Any, Final

import h11

from rosterwatch import aeries, auth, oneroster
from rosterwatch.body import IMSX_CODES, OAUTH_ERRORS, read_body
from rosterwatch.client import Answer
from rosterwatch.district import Credentials
from rosterwatch.observation import BodyKind, CollectionState, Dialect, Exchange, Page, Phase
from rosterwatch.probe import _read_collection
from tests.fuzz.chance import PLANTED, Chance
from tests.sis.bodies import BODIES

KEYS: Final = (
    "orgs", "users", "academicSessions", "courses", "classes", "enrollments", "demographics", "user", "org", "sourcedId", "error",
    "errors", "error_description", "statusInfoSet", "imsx_StatusInfo", "imsx_codeMajor", "imsx_codeMinor", "imsx_CodeMinor",
    "imsx_codeMinorField", "imsx_codeMinorFieldValue", "codeMinor", "Message", "message", "type", "title", "status", "access_token",
    "token_type", "scope", "expires_in", "AeriesVersion", "DatabaseYear", "CurrentDateTime", "Terms", "StartDate", "EndDate",
    "startDate", "endDate", "code", "authorization_code",
)  # fmt: skip
VALUES: Final = (*sorted(OAUTH_ERRORS | IMSX_CODES), "Invalid Client", [], {}, "2026-08-12T00:00:00", "9.26.11.3", "2026-2027")
_RECORD: Final = {"sourcedId": "1", "status": "active", "givenName": PLANTED, "email": f"{PLANTED}@example.org"}
_GOOD: Final[tuple[Any, ...]] = (
    {"orgs": [_RECORD]},
    {"users": [_RECORD, _RECORD]},
    {"enrollments": []},
    {"access_token": PLANTED * 2, "token_type": "bearer", "expires_in": 21_600, "scope": "a b"},
    {"AeriesVersion": "9.26.11.3", "DatabaseYear": "2026-2027", "CurrentDateTime": "2026-10-06T07:05:00.1234567-07:00"},
    [{"SchoolCode": 1, "Terms": [{"StartDate": "2026-08-12T00:00:00", "EndDate": "2026-12-18T00:00:00"}]}],
    {"error": "invalid_client", "error_description": PLANTED},
)
_TAGS: Final = (
    "<html>", "<title>", "</title>", "<h1>", "</h1>", "<!--", "-->", "<script>", "</script>", "<input type=password>",
    "<!DOCTYPE html>", "<input name='SAMLRequest'", ">", "<", "maintenance", "request blocked", "runtime error", "log in",
    "sign-in", "be back", PLANTED,
)  # fmt: skip
_TYPES: Final = (None, "application/json", "text/html", "application/xhtml+xml", "text/plain", "x/y")


def _raw(chance: Chance) -> bytes:
    kind = chance.randrange(8)
    if kind < 2:
        text = chance.as_json(chance.document(KEYS, VALUES))
    elif kind < 4:
        text = chance.as_json(chance.changed(chance.choice(_GOOD), KEYS, VALUES))
    elif kind == 4:
        text = "".join(chance.choice(_TAGS) for _ in range(chance.choice((4, 20, 200))))
    elif kind == 5:
        text = chance.choice([text for _, text in BODIES.values()])
    elif kind == 6:
        text = chance.choice(("[", '{"orgs":', "[{},", "9", '"', "<!-- -->", "[[],")) * chance.choice((1, 30, 3_000, 30_000))
    else:
        return chance.randbytes(chance.randrange(60))
    encoding = chance.choice(("utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"))
    raw = text.encode(encoding, "surrogatepass")
    return chance.bytes_like(raw) if chance.randrange(2) else raw


def read(chance: Chance) -> None:
    """A body becomes members of closed lists, and a document only if it is one."""
    raw, media_type, complete = _raw(chance), chance.choice(_TYPES), chance.randrange(8) > 0
    body, document = read_body(media_type, raw, complete=complete)
    assert body.size == len(raw)
    assert isinstance(body.kind, BodyKind)
    assert body.code is None or body.code in OAUTH_ERRORS | IMSX_CODES
    assert body.code is None or body.dialect in (Dialect.OAUTH, Dialect.STATUS_INFO_SET, Dialect.IMSX)
    assert body.dialect is None or body.kind is BodyKind.OBJECT
    assert (body.page is not None) == (body.kind in (BodyKind.HTML, BodyKind.TEXT))
    assert body.page is None or body.page in Page
    assert (body.kind is BodyKind.OBJECT) == isinstance(document, dict)
    assert (body.kind is BodyKind.ARRAY) == isinstance(document, list)
    if body.kind not in (BodyKind.OBJECT, BodyKind.ARRAY, BodyKind.SCALAR):
        assert document is None
    if not complete:
        assert body.kind in (BodyKind.NONE, BodyKind.TRUNCATED, BodyKind.HTML, BodyKind.TEXT)
        assert document is None
    strictly = _strictly(raw)
    if strictly is not None and complete:
        kinds: dict[type, BodyKind] = {dict: BodyKind.OBJECT, list: BodyKind.ARRAY}
        assert body.kind is kinds.get(type(strictly), BodyKind.SCALAR)
    assert PLANTED not in repr(body)
    assert repr(read_body(media_type, raw, complete=complete)) == repr((body, document))
    _collections(chance, Answer(Exchange(Phase.COLLECTION, "/users", status=200, body=body), document))


def _strictly(raw: bytes) -> Any:
    """The document, where there is no doubt that it is one."""
    try:
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _collections(chance: Chance, answer: Answer) -> None:
    """Readable means a list where the specification puts it, and not empty means a record with an identifier."""
    name = chance.choice(list(oneroster.ENVELOPES))
    found = _read_collection(name, True, answer)
    lists = [value for value in answer.document.values() if isinstance(value, list)] if isinstance(answer.document, dict) else []
    if found.state is CollectionState.EMPTY:
        assert [] in lists
    elif found.state is CollectionState.OK:
        assert any(listed and all(_is_record(record) for record in listed) and len(listed) == found.records for listed in lists)
    else:
        assert found.state is CollectionState.BROKEN
        assert found.malformed
    assert PLANTED not in repr(found)


def _is_record(record: Any) -> bool:
    return isinstance(record, dict) and type(record.get("sourcedId")) in (str, int) and record["sourcedId"] != ""


def tokens(chance: Chance) -> None:
    """A token is only what can be sent in a header and nothing else can be smuggled in with, and is never shown."""
    good = {"access_token": PLANTED * 2, "token_type": chance.text(), "expires_in": 21_600, "scope": chance.text()}
    document = chance.changed(good, KEYS, VALUES) if chance.randrange(8) else chance.document(KEYS, VALUES)
    if isinstance(document, dict) and chance.one_in(2):
        document = {**document, chance.choice(("access_token", "code")): chance.spoilt(PLANTED)}
    grant, code = auth.read_grant(document), auth.read_code(document)
    if grant is not None:
        assert grant.access_token == document["access_token"] != ""
        assert not document.get("error")
        [(name, value)] = grant.headers("GET", "https://sis.example.org/orgs").items()
        assert (name, value) == ("Authorization", f"Bearer {grant.access_token}")
        sent = h11.Request(method="GET", target="/", headers=[("Host", "sis.example.org"), (name, value)])
        assert sent.headers[1][1].decode("ascii").split(" ") == ["Bearer", grant.access_token]
        assert PLANTED not in repr(grant)
    if code is not None:
        assert code in (document.get("authorization_code"), document.get("code"))
        request = auth.aeries_token_request("https://sis.example.org/aeries", _PAIR, code)
        assert request.url.isascii()
        assert request.url.count("&") == 3
        assert PLANTED not in repr(request)


def facts(chance: Chance) -> None:
    """What Aeries tells of itself is a version, a year, a clock and days; nothing else comes through."""
    document = chance.changed(chance.choice(_GOOD[4:6]), KEYS, (*VALUES, "٢٠٢٦-٢٠٢٧", "0001-01-01", "9999-12-31T23:59:59-23:59"))
    system = aeries.system_info(document)
    if system is not None:
        assert system.version is None or set(system.version) <= set("0123456789.")
        assert system.database_year is None or set(system.database_year) <= set("0123456789-")
        assert system.clock_offset is None or abs(system.clock_offset) < 1e12
    terms = aeries.school_terms(document if isinstance(document, list) else [document])
    terms += aeries.terms([document, *(document if isinstance(document, list) else ())], "startDate", "EndDate")
    assert len(terms) <= 2 * aeries.MOST_TERMS
    assert all(term.start <= term.end for term in terms)
    assert PLANTED not in repr((system, terms))


_PAIR: Final = Credentials("id", "secret")
