"""The faults of an exchange: answers that are false, and honest answers bent. Each function here is one kind of fault."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast

from tests.sis import bodies
from tests.sis.dialect import World
from tests.sis.exchange import JSON_TYPE, Answer, Request, html_answer, json_answer
from tests.sis.faults import Case, kind
from tests.sis.ledger import carried
from tests.sis.school import ENVELOPES
from tests.sis.tokens import oauth_error as rfc6749

if TYPE_CHECKING:
    from tests.sis.district import District

MEGABYTE = 1_048_576


# --- the world ------------------------------------------------------------------------------------------------------


@kind("world", phase="data")
def totals_shrunk(world: World, *, factor: float = 0.5) -> World:
    """Every collection (or the one named) holds this share of its records."""
    return replace(world, scale=world.scale * factor)


@kind("world")
def everything_empty(world: World) -> World:
    """Every collection is an empty list with a good envelope, and so is the v5 list of schools."""
    return replace(world, empty=True)


@kind("world")
def terms_past(world: World) -> World:
    """Every term lies a year in the past; the default database's year says otherwise."""
    return replace(world, terms_shifted=world.terms_shifted - 1)


@kind("world")
def terms_future(world: World) -> World:
    """Every term lies a year in the future."""
    return replace(world, terms_shifted=world.terms_shifted + 1)


# --- answers instead of the honest one ------------------------------------------------------------------------------


@kind("replace")
def status(
    case: Case,
    *,
    status: int = 500,
    body: str = "yellow_screen",
    retry_after: int = 0,
    headers: dict[str, str] = {},  # noqa: B006 - never changed
) -> Answer:
    """A status with one of `bodies.BODIES`; `status=200, body="json_error"` is an error that claims success."""
    extra = (("Retry-After", str(retry_after)),) if retry_after else ()
    return bodies.answer(status, body, *headers.items(), *extra)


@kind("replace")
def text_body(case: Case, *, text: str = "OK", content_type: str = JSON_TYPE, status: int = 200) -> Answer:
    """Any text under any content type."""
    return Answer(status, (("Content-Type", content_type),), text.encode())


@kind("replace")
def login_page(case: Case) -> Answer:
    """200 with the portal's login form."""
    return html_answer(200, bodies.LOGIN_PAGE)


@kind("replace")
def windows_authentication(case: Case) -> Answer:
    """IIS asks for Windows credentials before the application runs."""
    headers = (("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM"))
    return html_answer(401, bodies.IIS_401, *headers)


@kind("replace")
def waf_block(case: Case) -> Answer:
    """403 and a firewall's page."""
    return html_answer(403, bodies.WAF_BLOCK)


@kind("replace")
def maintenance(case: Case, *, retry_after: int = 0) -> Answer:
    """503 and app_offline.htm, with Retry-After or without (0)."""
    extra = (("Retry-After", str(retry_after)),) if retry_after else ()
    return html_answer(503, bodies.APP_OFFLINE, *extra)


@kind("replace")
def throttled(
    case: Case, *, status: int = 429, retry_after: int = 30, form: str = "seconds", body: str = "rate_limit_page"
) -> Answer:
    """429 (or 503) with Retry-After as `seconds`, as a `date`, or `none`."""
    values = {
        "seconds": (("Retry-After", str(retry_after)),),
        "date": (("Retry-After", format_datetime(datetime.now(UTC) + timedelta(seconds=retry_after), usegmt=True)),),
        "none": (),
    }
    return bodies.answer(status, body, *values[form])


@kind("replace")
def redirect(case: Case, *, to: str = "login", status: int = 302) -> Answer:
    """To `login`, `other_host` (the decoy), `loop` (itself), `slash`, `http`, `metadata`, or to a URL."""
    origin, target = case.district.origin, case.request.target
    places = {
        "login": f"{case.district.base_path}/Login.aspx?page=default",
        "other_host": f"{case.district.decoy_origin}{target}",
        "loop": f"{origin}{target}",
        "slash": f"{target.partition('?')[0]}/",
        "http": f"{origin.replace('https:', 'http:')}{target}",
        "metadata": "http://169.254.169.254/latest/meta-data/",
    }
    return html_answer(status, "<h2>Object moved</h2>", ("Location", places.get(to, to)))


@kind("replace")
def echoed_secrets(case: Case, *, status: int = 400, content_type: str = JSON_TYPE) -> Answer:
    """An error whose body repeats everything that was sent: headers, cookies, form, and what Basic held."""
    request = case.request
    said = {"error": "invalid_client", "error_description": "\n".join(_everything(request)), "received": request.target}
    return Answer(status, (("Content-Type", content_type), ("X-Debug", request.target)), json.dumps(said).encode())


def _everything(request: Request) -> list[str]:
    return [f"{name}: {value}" for name, value in request.headers] + list(carried(request))


@kind("replace", phase="token")
def oauth_error(case: Case, *, error: str = "invalid_client", status: int = 400, description: str = "") -> Answer:
    """An RFC 6749 refusal of any name and status."""
    return rfc6749(error, status, description or None)


@kind("replace", phase="token")
def no_token(case: Case, *, kind: str = "missing") -> Answer:
    """200 from the token endpoint without a usable token.

    `missing`, `null`, `blank`, `number`, `list` (as access_token), `array` (for the whole body), `not_json`, `html`, `empty`.
    """
    rest = {"token_type": "bearer", "expires_in": 21_600}
    tokens = {"null": None, "blank": "", "number": 12_345_678, "list": ["a"]}
    if kind == "missing":
        return json_answer(200, rest)
    if kind == "array":
        return json_answer(200, [{"access_token": "0" * 32}])
    if kind == "html":
        return html_answer(200, bodies.LOGIN_PAGE)
    if kind in ("not_json", "empty"):
        return Answer(200, (("Content-Type", JSON_TYPE),), b"access_token=" if kind == "not_json" else b"")
    return json_answer(200, {"access_token": tokens[kind], **rest})


@kind("replace", phase="data")
def bearer_refused(case: Case) -> Answer:
    """401 for a good token; with `times=1` only at first, as after a recycled pool."""
    return json_answer(401, {"Message": "Authorization has been denied for this request."})


@kind("replace", phase="data")
def ignores_limit(case: Case) -> Answer:
    """The server's own page size, whatever was asked."""
    return case.honest(replace(case.request, target=case.request.target.partition("?")[0]))


@kind("replace", phase="data")
def endless_body(case: Case, *, megabytes: int = 300, style: str = "records") -> Answer:
    """Ignores the limit and streams that much: `records`, one endless `string`, or `whitespace` before the list ends."""
    key = ENVELOPES.get(case.place.collection or "", "orgs")
    pieces = {
        "records": b'{"sourcedId":"1","status":"active","title":"' + b"x" * 16_000 + b'"},',
        "string": b"x" * 16_384,
        "whitespace": b" " * 16_384,
    }
    start = {"string": f'{{"{key}":[{{"sourcedId":"'}.get(style, f'{{"{key}":[').encode()
    end = {"records": b'{"sourcedId":"2"}]}', "string": b'"}]}', "whitespace": b"]}"}[style]

    async def stream() -> AsyncIterator[bytes]:
        yield start
        for _ in range(megabytes * MEGABYTE // len(pieces[style])):
            yield pieces[style]
        yield end

    return Answer(200, (("Content-Type", JSON_TYPE),), stream)


@kind("replace", phase="data")
def gzip_bomb(case: Case, *, megabytes: int = 200) -> Answer:
    """A small compressed body, asked for or not, that unpacks to so many megabytes."""

    async def stream() -> AsyncIterator[bytes]:
        packer = zlib.compressobj(level=1, wbits=31)
        yield packer.compress(b'{"orgs":[{"sourcedId":"1","title":"')
        for _ in range(megabytes):
            yield packer.compress(b"0" * MEGABYTE)
            await asyncio.sleep(0)  # packing is work; others want to be answered too
        yield packer.compress(b'"}]}') + packer.flush()

    return Answer(200, (("Content-Type", JSON_TYPE), ("Content-Encoding", "gzip")), stream)


@kind("replace", phase="data")
def nested(case: Case, *, depth: int = 100_000, closed: bool = True) -> Answer:
    """Lists in lists in lists."""
    return Answer(200, (("Content-Type", JSON_TYPE),), b"[" * depth + b"]" * (depth if closed else 0))


# --- honest answers, bent -------------------------------------------------------------------------------------------


def _list(answer: Answer) -> tuple[str, list[object]] | None:
    """Envelope key and records of a data answer, or None for anything else."""
    body = answer.json
    if isinstance(body, dict) and len(body) == 1:
        ((key, value),) = body.items()
        if isinstance(value, list):
            return str(key), value
    return None


@kind("bend", phase="data")
def empty_list(answer: Answer, case: Case) -> Answer:
    """The right envelope with nothing in it."""
    found = _list(answer)
    if found is None:
        return answer
    empty = answer.with_json({found[0]: []})
    return empty.with_headers(("X-Total-Count", "0")) if answer.header("X-Total-Count") else empty


@kind("bend", phase="data")
def wrong_envelope(answer: Answer, case: Case, *, key: str = "data") -> Answer:
    """The records under another key."""
    found = _list(answer)
    return answer.with_json({key: found[1]}) if found else answer


@kind("bend", phase="data")
def alias_envelope(answer: Answer, case: Case) -> Answer:
    """The key named after the path: `students`, `teachers`, `terms`, `schools` (reference 1.6)."""
    found = _list(answer)
    return answer.with_json({case.place.collection or found[0]: found[1]}) if found else answer


@kind("bend", phase="data")
def single_object(answer: Answer, case: Case) -> Answer:
    """One object where the list belongs."""
    found = _list(answer)
    return answer.with_json({found[0]: found[1][0] if found[1] else {}}) if found else answer


@kind("bend", phase="data")
def bare_list(answer: Answer, case: Case) -> Answer:
    """The list without an envelope."""
    found = _list(answer)
    return answer.with_json(found[1]) if found else answer


@kind("bend", phase="data")
def null_list(answer: Answer, case: Case) -> Answer:
    """Null where the list belongs."""
    found = _list(answer)
    return answer.with_json({found[0]: None}) if found else answer


@kind("bend", phase="data")
def no_sourced_ids(answer: Answer, case: Case, *, value: str = "missing") -> Answer:
    """Records whose sourcedId is `missing`, `null` or `blank`."""
    found = _list(answer)
    if found is None:
        return answer
    replacements: dict[str, dict[str, object]] = {
        "missing": {}, "null": {"sourcedId": None}, "blank": {"sourcedId": ""},
    }  # fmt: skip
    rows = [cast("dict[str, object]", row) for row in found[1]]
    bare = [{key: item for key, item in row.items() if key != "sourcedId"} | replacements[value] for row in rows]
    return answer.with_json({found[0]: bare})


@kind("bend", phase="data")
def warning_beside(answer: Answer, case: Case) -> Answer:
    """A statusInfoSet warning beside good data (reference 3.5: 200 and the data are still there)."""
    found = _list(answer)
    if found is None:
        return answer
    warning = cast(
        "dict[str, object]",
        bodies.status_info_set("invalid_selection_field", "A field was ignored.", "success", "warning"),
    )
    return answer.with_json({found[0]: found[1], **warning})


@kind("bend")
def truncated_json(answer: Answer, case: Case, *, keep: float = 0.5) -> Answer:
    """The body ends early, and Content-Length agrees with what is left."""
    body = _bytes(answer)
    return replace(answer, body=body[: int(len(body) * keep)])


@kind("bend", phase="data")
def not_json(answer: Answer, case: Case) -> Answer:
    """Text under a JSON content type."""
    return replace(answer, body=b"Service is warming up")


@kind("bend", phase="data")
def bom(answer: Answer, case: Case, *, encoding: str = "utf-8-sig") -> Answer:
    """A byte order mark first; `utf-16` changes every byte after it too."""
    return replace(answer, body=_bytes(answer).decode().encode(encoding))


@kind("bend", phase="data")
def invalid_utf8(answer: Answer, case: Case) -> Answer:
    """A byte inside the first string that UTF-8 does not know."""
    return replace(answer, body=_bytes(answer).replace(b'"', b'"\xff\xfe', 1))


@kind("bend", phase="data")
def nul_bytes(answer: Answer, case: Case) -> Answer:
    """NUL bytes after the body."""
    return replace(answer, body=_bytes(answer) + b"\0\0\0\0")


@kind("bend", phase="data")
def duplicate_keys(answer: Answer, case: Case) -> Answer:
    """The envelope key twice, an empty list last, so that the last one hides the data."""
    found = _list(answer)
    if found is None:
        return answer
    key = json.dumps(found[0])
    return replace(answer, body=f"{{{key}:{json.dumps(found[1])},{key}:[]}}".encode())


@kind("bend", phase="data")
def huge_number(answer: Answer, case: Case, *, digits: int = 100_000) -> Answer:
    """An integer of so many digits among the members."""
    body = _bytes(answer)
    return replace(answer, body=body[:1] + b'"serial":' + b"9" * digits + b"," + body[1:])


@kind("bend")
def content_type(answer: Answer, case: Case, *, value: str = "text/plain") -> Answer:
    """The same body under another content type; blank for none."""
    if value:
        return answer.with_headers(("Content-Type", value))
    return replace(answer, headers=tuple(item for item in answer.headers if item[0].lower() != "content-type"))


@kind("bend")
def header(answer: Answer, case: Case, *, name: str = "X-Powered-By", value: str = "ASP.NET") -> Answer:
    """Any header, added or replaced (X-Total-Count with a false value, for one)."""
    return answer.with_headers((name, value))


@kind("bend")
def many_cookies(answer: Answer, case: Case, *, count: int = 1000) -> Answer:
    """So many Set-Cookie headers beside the honest ones."""
    return answer.with_headers(*(("Set-Cookie", f"c{number}={number}; path=/") for number in range(count)))


@kind("bend", phase="token")
def narrowed_scope(answer: Answer, case: Case, *, keep: str = "roster-core.readonly") -> Answer:
    """Only these scopes (their last words) are granted, and echoed."""
    body = answer.json
    if not (isinstance(body, dict) and "access_token" in body):
        return answer
    kept = frozenset(scope for scope in str(body.get("scope", "")).split() if scope.rpartition("/")[2] in keep.split())
    for node in case.district.nodes:
        if grant := node.tokens.get(str(body["access_token"])):
            node.tokens[str(body["access_token"])] = replace(grant, scopes=kept)
    return answer.with_json({**body, "scope": " ".join(sorted(kept))})


@kind("bend", phase="token")
def member(answer: Answer, case: Case, *, name: str = "expires_in", value: object = None) -> Answer:
    """A member of a JSON object with another value (null by default)."""
    body = answer.json
    return answer.with_json({**body, name: value}) if isinstance(body, dict) else answer


@kind("bend", phase="token")
def no_member(answer: Answer, case: Case, *, name: str = "scope") -> Answer:
    """A member of a JSON object left out."""
    body = answer.json
    if not isinstance(body, dict):
        return answer
    return answer.with_json({key: value for key, value in body.items() if key != name})


@kind("bend")
def no_cookies(answer: Answer, case: Case) -> Answer:
    """Set-Cookie left out."""
    return replace(answer, headers=tuple(item for item in answer.headers if item[0].lower() != "set-cookie"))


@kind("bend")
def clock_skew(answer: Answer, case: Case, *, seconds: float = 600.0) -> Answer:
    """A wrong clock: the Date header and systeminfo's CurrentDateTime."""
    body = answer.json
    if isinstance(body, dict) and "CurrentDateTime" in body:
        wrong = datetime.fromisoformat(str(body["CurrentDateTime"])) + timedelta(seconds=seconds)
        answer = answer.with_json({**body, "CurrentDateTime": wrong.isoformat()})
    return replace(answer, clock_skew=answer.clock_skew + seconds)


@kind("bend")
def slow(answer: Answer, case: Case, *, seconds: float = 5.0) -> Answer:
    """So many seconds before the first byte."""
    return replace(answer, delay=answer.delay + seconds)


@kind("bend")
def drip(answer: Answer, case: Case, *, seconds: float = 1.0, size: int = 1) -> Answer:
    """The body in pieces of `size` bytes, so many seconds apart, over HTTP/2 too."""
    body = _bytes(answer)

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]
            await asyncio.sleep(seconds)

    return replace(answer, body=stream).with_headers(("Content-Length", str(len(body))))


def _bytes(answer: Answer) -> bytes:
    if not isinstance(answer.body, bytes):
        raise TypeError("a streamed answer cannot be bent; use one fault or the other")
    return answer.body
