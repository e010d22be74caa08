"""The other SIS products: OneRoster 1.1 and 1.2 behind OAuth 2, OAuth 1.0a or a static token (reference sections 3 and 4).

`PRODUCTS` has each of them by the name that a scenario file uses. A product is data; what it remembers lives in its district.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.sis import jwt, oneroster
from tests.sis.admin import BOXES_FOR, VendorRecord
from tests.sis.aeries import records
from tests.sis.bodies import IIS_404
from tests.sis.dialect import Place, World
from tests.sis.exchange import Answer, Request, html_answer, json_answer
from tests.sis.issuer import Issuer, jwt_key
from tests.sis.oneroster import Paging
from tests.sis.school import COLLECTIONS
from tests.sis.signatures import signer

if TYPE_CHECKING:
    from tests.sis.district import District

ROOTS = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}
SCOPES = {version: f"https://purl.imsglobal.org/spec/or/v{version.replace('.', 'p')}/scope/" for version in ROOTS}
ANYTHING = frozenset({"everything"})  # the scope of a client that needs none


def scopes(version: str, *names: str) -> tuple[str, ...]:
    return tuple(SCOPES[version] + name for name in names)


@dataclass(frozen=True)
class Product:
    """One product as one district runs it.

    `secret` is what its secret holds beside the base URL and the pair, `own_scopes` what it offers in place of the specification's.

    `signed` are the OAuth 1.0a methods it takes, `static` says that the Consumer Secret is a bearer token that never ends.
    `start_page` is the token URL that its start page names.
    """

    name: str
    provider: str
    version: str = "1.1"
    root: str = ""
    issuer: Issuer | None = None
    signed: tuple[str, ...] = ()
    static: bool = False
    paging: Paging = field(default_factory=Paging)
    start_page: str = ""
    secret: Mapping[str, str] = field(default_factory=dict)
    own_scopes: tuple[str, ...] = ()

    @property
    def data_root(self) -> str:
        return self.root or ROOTS[self.version]

    def credentials(self, district: "District") -> dict[str, Any]:
        """What the administrator hands over, as the secret of the district."""
        record = district.record
        facts = {**_addresses(district), "consumer_secret": record.consumer_secret}
        pair = {} if self.static else {"consumer_id": record.consumer_id, "consumer_secret": record.consumer_secret}
        told: dict[str, Any] = {name: value.format_map(facts) for name, value in self.secret.items()}
        told |= {"scopes": list(self.own_scopes)} if self.own_scopes else {}
        return {"base_url": district.base_url, "provider": self.provider, **pair, **told}

    def place(self, path: str) -> Place:
        if self.issuer is not None and path == self.issuer.path:
            return Place("token", path)
        if path.startswith(f"{self.data_root}/"):
            collection, slash, sourced_id = path.removeprefix(f"{self.data_root}/").partition("/")
            return Place("data", path, collection, sourced_id if slash else None)
        return Place("other", path)

    def answer(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        answer = self._answer(request, place, district, world)
        return replace(answer, clock_skew=answer.clock_skew + district.settings.clock_ahead)

    def _answer(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        if place.phase == "token" and self.issuer is not None:
            here = (request.header("host") or "").partition(":")[0]
            return self.issuer.answer(request, district) if self.issuer.host in ("", here) else html_answer(404, IIS_404)
        if place.phase == "data":
            return self._data(request, place, district, world)
        if self.start_page and place.path in ("", "/"):
            return json_answer(200, {"version": "1.0.0", "urls": {"oauth": self.start_page.format_map(_addresses(district))}})
        return html_answer(404, IIS_404)

    def _data(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        collection = place.collection or ""
        if request.method != "GET":
            return self._error(405, "invalid_data", "Only GET is implemented.", ("Allow", "GET"))
        found = self._client(request, district)
        if found is None:
            challenge = ("WWW-Authenticate", 'OAuth realm="OneRoster"' if self.signed else "Bearer")
            return self._error(401, "unauthorized", "Missing or invalid authorization.", challenge)
        if collection not in COLLECTIONS:
            return self._error(404, "unknownobject", "There is no such collection.")
        if lacking := self._lacking(*found, collection):
            return self._error(403, "forbidden", lacking)
        rows = records(district, collection, world)
        if place.sourced_id is not None:
            return oneroster.single_answer(collection, rows, place.sourced_id, self._errors)
        return oneroster.collection_answer(collection, rows, request, self.paging, self._errors)

    @property
    def _errors(self) -> str:
        return "status_info_set" if self.version == "1.1" else "imsx"

    def _error(self, status: int, code_minor: str, description: str, *headers: tuple[str, str]) -> Answer:
        return oneroster.error(self._errors, status, code_minor, description, *headers)

    def _lacking(self, record: VendorRecord, granted: frozenset[str], collection: str) -> str | None:
        """What keeps a good client from a collection."""
        if not granted & (ANYTHING | self._opening(collection)):
            return "The scope of the token does not cover this."
        allowed = record.oneroster and record.boxes >= BOXES_FOR[collection]
        return None if allowed else "The permission for this is not granted."

    def _client(self, request: Request, district: "District") -> tuple[VendorRecord, frozenset[str]] | None:
        """Whose request it is and what it may read. `Bearer` is matched to the letter, whatever `token_type` said."""
        scheme, _, said = (request.header("authorization") or "").partition(" ")
        if scheme == "OAuth" and self.signed:
            record = signer(request, district, self.signed)
        elif scheme == "Bearer" and self.static:
            record = next((one for one in district.records if one.consumer_secret == said), None)
        else:
            return self._bearer(said, district) if scheme == "Bearer" and self.issuer is not None else None
        return (record, ANYTHING) if record else None

    def _bearer(self, token: str, district: "District") -> tuple[VendorRecord, frozenset[str]] | None:
        if self.issuer is not None and self.issuer.kind == "jwt":
            return self._bearer_of_jwt(token, district)
        grant = district.nodes[0].tokens.get(token)
        return (grant.record, grant.scopes) if grant is not None and grant.ends > district.clock() else None

    @staticmethod
    def _bearer_of_jwt(token: str, district: "District") -> tuple[VendorRecord, frozenset[str]] | None:
        claims = jwt.check(token, jwt_key(district))
        if claims is None or claims["exp"] < district.clock():
            return None
        record = next((one for one in district.records if one.consumer_id == claims["sub"]), None)
        return (record, frozenset(str(claims["scope"]).split())) if record else None

    def _opening(self, collection: str) -> frozenset[str]:
        """Any one of these scopes opens the collection (reference 3.2)."""
        names = ("roster-demographics.readonly",) if collection == "demographics" else ("roster-core.readonly", "roster.readonly")
        return frozenset(scopes(self.version, *names)) | set(self.own_scopes)


def _addresses(district: "District") -> dict[str, str]:
    """What the templates of addresses may name. The other origin is the same server by another host name."""
    other = district.origin.replace("localhost", "127.0.0.1")
    return {"base_url": district.base_url, "path": district.base_path, "other_origin": other, "decoy": district.decoy_origin}


_BOTH = ("roster-core.readonly", "roster-demographics.readonly")
_1_1, _1_2 = scopes("1.1", *_BOTH), scopes("1.2", *_BOTH)
_EDFI = Issuer("/oauth/token", _1_2, kind="jwt", host="127.0.0.1")
_EDFI_SECRET = {"token_url": "{other_origin}{path}/oauth/token"}
_GENERIC = Product("generic_1_1", "generic_1_1", issuer=Issuer("/oauth2/token", _1_1))
_CAMPUS = Issuer("/oauth2/token", _1_2, query={"appName": "roster"})

PRODUCTS = {
    product.name: product
    for product in (
        Product("classlink", "classlink", signed=("HMAC-SHA256",)),
        Product("classlink_proxy", "classlink_proxy", static=True, secret={"bearer_token": "{consumer_secret}"}),
        Product(
            "infinite_campus", "infinite_campus", "1.2", root="/api/ims/oneroster/rostering/v1p2", issuer=_CAMPUS,
            secret={"token_url": "{base_url}/oauth2/token?appName=roster"},
        ),
        Product(
            "infinite_campus_1_1", "infinite_campus", "1.1", issuer=replace(_CAMPUS, offered=_1_1),
            secret={"token_url": "{base_url}/oauth2/token?appName=roster", "version": "1.1"},
        ),
        Product(
            "powerschool", "powerschool", paging=Paging(largest=1000),
            issuer=Issuer("/oauth/access_token", _1_1, scopes="ignored", names_scopes=False, expires_in="3600"),
        ),
        Product("skyward", "skyward", root="/api/ims/oneroster/v1p1", issuer=Issuer("/identity/connect/token", _1_1),
                secret={"token_url": "{base_url}/identity/connect/token"}),
        Product("synergy", "synergy", issuer=Issuer("/token", _1_1, names_scopes=False)),
        Product("eschoolplus", "eschoolplus", "1.2", issuer=Issuer("/oauth/token", _1_2)),
        Product("edfi", "edfi", "1.2", issuer=_EDFI, paging=Paging(largest=500, total_count=False), secret=_EDFI_SECRET,
                start_page=_EDFI_SECRET["token_url"]),
        Product("edfi_that_claims", "edfi", "1.2", issuer=replace(_EDFI, scopes="claimed", offered=_1_2[1:]),
                paging=Paging(total_count=False), secret=_EDFI_SECRET),
        Product("veracross", "veracross", paging=Paging(largest=100), issuer=Issuer("/oauth/token", ("sis:roster.read",)),
                own_scopes=("sis:roster.read",)),
        _GENERIC,
        Product("generic_1_2", "generic_1_2", "1.2", issuer=Issuer("/auth/token", _1_2, kind="jwt")),
        # The same with other ways in.
        replace(_GENERIC, name="post", issuer=Issuer("/oauth/token", _1_1, client="post"), secret={"auth": "oauth2_post"}),
        replace(_GENERIC, name="encoded", issuer=Issuer("/token", _1_1, client="encoded"), secret={"auth": "oauth2_basic_encoded"}),
        replace(_GENERIC, name="signed_sha1", issuer=None, signed=("HMAC-SHA1",), secret={"auth": "oauth1_sha1"}),
        replace(_GENERIC, name="signed_or_token", signed=("HMAC-SHA256",)),
        replace(_GENERIC, name="core_only", issuer=Issuer("/token", _1_1[:1])),
    )
}  # fmt: skip
