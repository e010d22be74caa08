"""Faults that speak in place of the district: false answers, each function one kind of fault."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.sis import bodies
from tests.sis.exchange import JSON_TYPE, Answer, Request, html_answer, json_answer
from tests.sis.faults import Case, kind
from tests.sis.ledger import carried
from tests.sis.school import ENVELOPES
from tests.sis.tokens import oauth_error as rfc6749

MEGABYTE = 1_048_576


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

    As access_token: `missing`, `null`, `blank`, `number`, `list`. As the whole body: `array`, `not_json`, `html`,
    `empty`.
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
def recycled_pool(case: Case) -> Answer:
    """The application pool is recycled just before this request is answered: with `times=1`, in the middle of a visit."""
    case.district.admin.recycle_app_pool()
    return case.honest()


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
    """Ignores the limit and streams that much: `records`, one long `string`, or `whitespace` before the list ends."""
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
