"""Faults that bend: the world an honest answer tells of, or the answer itself. Each function is one kind of fault."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from tests.sis import bodies
from tests.sis.dialect import World
from tests.sis.exchange import Answer
from tests.sis.faults import Case, kind


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
