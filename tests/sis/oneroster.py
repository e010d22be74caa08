"""The collections of OneRoster 1.1: parameters, paging, envelopes, errors (reference 3). Shared by every dialect.

Strict by default: a parameter it does not know is a 400, because real servers answer 400 or 500 to parameters that the
specification calls optional, and a client that needs none must be seen to send none.
"""

from dataclasses import dataclass

from tests.sis.bodies import imsx, status_info_set
from tests.sis.exchange import Answer, Request, json_answer
from tests.sis.school import ENVELOPES, SINGLES, Rows

SCOPES = "https://purl.imsglobal.org/spec/or/v1p1/scope/"
CORE = f"{SCOPES}roster-core.readonly"
FULL = f"{SCOPES}roster.readonly"
DEMOGRAPHICS = f"{SCOPES}roster-demographics.readonly"


@dataclass(frozen=True)
class Paging:
    """How a server pages. `largest` caps `limit` in silence, as real ones do (reference 0.11)."""

    default: int = 100
    largest: int = 10_000
    total_count: bool = True  # send X-Total-Count, which is optional
    strict: bool = True  # 400 for any parameter but limit and offset


def scopes_for(collection: str) -> frozenset[str]:
    """Any one of these opens the collection (reference 3.2)."""
    return frozenset({DEMOGRAPHICS}) if collection == "demographics" else frozenset({CORE, FULL})


def error(dialect: str, status: int, code_minor: str, description: str, *headers: tuple[str, str]) -> Answer:
    """An error on data in one of the dialects `status_info_set`, `imsx` and `message` (reference 3.5 and 1.9)."""
    if dialect == "message":
        return json_answer(status, {"Message": description}, *headers)
    if dialect == "imsx":
        return json_answer(status, imsx(code_minor, description), *headers)
    return json_answer(status, status_info_set(code_minor, description), *headers)


def collection_answer(collection: str, rows: Rows, request: Request, paging: Paging, errors: str) -> Answer:
    """A page of a collection."""
    given = request.query
    names = [name for name, _ in given]
    if paging.strict and (unknown := sorted({name for name in names if name not in ("limit", "offset")})):
        return error(errors, 400, "invalid data", f"Unknown query parameter: {', '.join(unknown)}.")
    if len(names) != len(set(names)):
        return error(errors, 400, "invalid data", "A query parameter was sent twice.")
    wanted = {"limit": paging.default, "offset": 0}
    for name, value in given:
        if name in wanted:
            lowest = 1 if name == "limit" else 0
            if not (value.isascii() and value.isdigit() and int(value) >= lowest):
                return error(errors, 400, "invalid data", f"The value of {name} is not a number from {lowest} up.")
            wanted[name] = int(value)
    page = rows.page(wanted["offset"], min(wanted["limit"], paging.largest))
    answer = json_answer(200, {ENVELOPES[collection]: page})
    return answer.with_headers(("X-Total-Count", str(rows.total))) if paging.total_count else answer


def single_answer(collection: str, rows: Rows, sourced_id: str, errors: str) -> Answer:
    """One record by its sourcedId."""
    for record in rows:
        if record["sourcedId"] == sourced_id:
            return json_answer(200, {SINGLES[ENVELOPES[collection]]: record})
    return error(errors, 404, "unknown object", "There is no such object.")
