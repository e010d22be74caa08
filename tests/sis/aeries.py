"""Aeries: OneRoster 1.1 below `/ims/oneroster/v1p1`, tokens, and the corner of the regular API a monitor reads.

Sources: reference 1.2 (addresses), 1.4 (permissions), 1.6 (shapes), 1.7 (what comes back), 1.9 (the v5 API).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tests.sis import oneroster
from tests.sis.admin import BOXES_FOR
from tests.sis.bodies import IIS_404, LOGIN_PAGE
from tests.sis.dialect import Place, World
from tests.sis.exchange import Answer, Request, html_answer, json_answer
from tests.sis.school import COLLECTIONS, EMPTY, Rows
from tests.sis.tokens import ENDPOINTS, TOKEN_PATHS, token_answer

if TYPE_CHECKING:
    from tests.sis.district import District, Grant

DATA_ROOT = "/ims/oneroster/v1p1/"
PACIFIC = timezone(timedelta(hours=-8))
LOGIN_PATHS = ("", "/", "/Login.aspx", "/LoginParent.aspx")


@dataclass(frozen=True)
class Aeries:
    """`generation` is how it gives out tokens: one of `tokens.ENDPOINTS`."""

    generation: str = "v4"

    def __post_init__(self) -> None:
        if self.generation not in ENDPOINTS:
            raise ValueError(f"no token generation {self.generation!r}; there are {', '.join(ENDPOINTS)}")

    @property
    def name(self) -> str:
        return f"aeries {self.generation}"

    def credentials(self, district: "District") -> dict[str, Any]:
        return {"base_url": district.base_url, **district.record.credentials}

    def place(self, path: str) -> Place:
        if path in TOKEN_PATHS:
            return Place("token", path)
        if path == "/api/v5/systeminfo":
            return Place("systeminfo", path)
        if path == "/api/v5/schools":
            return Place("certificate", path)
        if path.startswith(DATA_ROOT):
            collection, slash, sourced_id = path.removeprefix(DATA_ROOT).partition("/")
            return Place("data", path, collection, sourced_id if slash else None)
        return Place("other", path)

    def answer(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        if place.phase in ("systeminfo", "certificate") and district.settings.api_root:
            return self._v5(request, place, district, world)
        # Not enabled in School Options, or the pool not recycled since: nobody listens there (reference 1.7).
        if place.phase == "token" and district.oneroster_enabled:
            return token_answer(request, place.path, district, self.generation)
        if place.phase == "data" and district.oneroster_enabled:
            return self._data(request, place, district, world)
        return html_answer(200, LOGIN_PAGE) if place.path in LOGIN_PATHS else html_answer(404, IIS_404)

    def _data(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        errors = district.settings.errors
        if request.method != "GET":
            return oneroster.error(errors, 405, "invalid data", "Only GET is implemented.", ("Allow", "GET"))
        grant = _bearer(request, district)
        if grant is None:
            challenge = ("WWW-Authenticate", "Bearer")
            message = "Authorization has been denied for this request."
            return oneroster.error(errors, 401, "unauthorized", message, challenge)
        collection = place.collection
        if collection not in COLLECTIONS:
            return oneroster.error(errors, 404, "unknown object", "There is no such collection.")
        if lacking := _lacking(grant, collection, district):
            return oneroster.error(errors, 403, "forbidden", lacking)
        rows = records(district, collection, world)
        if place.sourced_id is not None:
            return oneroster.single_answer(collection, rows, place.sourced_id, errors)
        return oneroster.collection_answer(collection, rows, request, district.settings.paging, errors)

    def _v5(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        if request.method != "GET":
            return json_answer(405, {"Message": "The requested resource does not support this http method."})
        calendar = district.calendar
        if place.phase == "systeminfo":  # the only one that asks for no certificate
            return json_answer(
                200,
                {
                    "AeriesVersion": "9.26.11.3",
                    "DatabaseYear": calendar.database_year,
                    "AvailableDatabaseYears": [calendar.database_year, *district.past_years],
                    "LocalTimeZoneName": "(UTC-0:8:00) Pacific Time (US & Canada)",
                    "CurrentDateTime": datetime.now(UTC).astimezone(PACIFIC).isoformat(),
                },
            )
        certificate = request.header("aeries-cert")
        record = next((one for one in district.records if one.certificate == certificate), None)
        if record is None:
            return json_answer(401, {"Message": "Invalid certificate."})
        if "Schools" not in record.boxes:
            return json_answer(403, {"Message": "The certificate does not have access to School Information."})
        schools = district.school.v5_schools(calendar.shifted(world.terms_shifted), terms="Terms" in record.boxes)
        return json_answer(200, [] if world.empty else schools)


def records(district: "District", collection: str, world: World) -> Rows:
    """A collection as a fault may have bent it."""
    if world.empty:
        return EMPTY
    rows = district.school.collection(collection, district.calendar.shifted(world.terms_shifted))
    return replace(rows, total=int(rows.total * world.scale))


def _lacking(grant: "Grant", collection: str, district: "District") -> str | None:
    """What keeps a good token from a collection. Nothing names the box: finding it is the reader's work."""
    if not grant.scopes & oneroster.scopes_for(collection):
        return "The scope of the token does not cover this."
    record = grant.record
    boxes = record.boxes if record.oneroster or district.settings.unticked_refuses == "token" else frozenset()
    return None if boxes >= BOXES_FOR[collection] else "The permission for this is not granted."


def _bearer(request: Request, district: "District") -> "Grant | None":
    """The grant of a token this node issued. `Bearer` is matched to the letter, whatever `token_type` said."""
    node = district.node_for(request)
    scheme, _, token = (request.header("authorization") or "").partition(" ")
    if scheme != "Bearer":
        return None
    if district.settings.cookies_required and request.cookies.get("ASP.NET_SessionId") not in node.sessions:
        return None
    grant = node.tokens.get(token)
    return grant if grant is not None and grant.ends > district.clock() else None
