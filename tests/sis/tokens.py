"""How Aeries gives out tokens: four generations, and the variants of path that districts have reported (reference 1.3).

Strict where the sources are clear: POST only, a form body, scopes where they are mandatory, one way to authenticate.
A refusal is an RFC 6749 `error`; an address that is no token endpoint answers 404, 405, or a 400 without one.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus

from tests.sis.admin import VendorRecord
from tests.sis.bodies import IIS_404
from tests.sis.exchange import Answer, Request, html_answer, json_answer
from tests.sis.oneroster import SCOPES

if TYPE_CHECKING:
    from tests.sis.district import District, Node

OFFERED_SCOPES = tuple(
    f"{SCOPES}{name}"
    for name in (
        "roster-core.readonly", "roster.readonly", "roster-demographics.readonly", "resource.readonly",
        "gradebook.readonly", "gradebook.createput", "gradebook.delete",
    )
)  # fmt: skip
TOKEN_SECONDS = 21_600  # reference 1.3
CODE_SECONDS = 300  # V1's authorization code (reference 1.3)


@dataclass(frozen=True)
class TokenEndpoint:
    """One generation. `path` is the only one that gives tokens; `codeless` ones answer 400 without an OAuth error."""

    path: str
    scopes: bool  # mandatory, checked and echoed
    body_credentials: bool = False  # client_id and client_secret in the form instead of a Basic header
    codeless: tuple[str, ...] = ()


ENDPOINTS = {
    "v4": TokenEndpoint("/token", scopes=True),
    "v3": TokenEndpoint("/token", scopes=False),
    "v2": TokenEndpoint("/v2/oauth/token", scopes=False, body_credentials=True),
    "v1": TokenEndpoint("/v1/oauth/token", scopes=False),
    "slash": TokenEndpoint("/token/", scopes=True, codeless=("/token",)),
    "oauth": TokenEndpoint("/oauth/token", scopes=True),
}
AUTHORIZE_PATH = "/v1/oauth/authorize"
# Every path that some generation answers: asked of another one, it is a token request that went wrong.
TOKEN_PATHS = frozenset(endpoint.path for endpoint in ENDPOINTS.values()) | {AUTHORIZE_PATH}


def oauth_error(error: str, status: int = 400, description: str | None = None) -> Answer:
    """An RFC 6749 refusal (5.2)."""
    body = {"error": error} | ({"error_description": description} if description else {})
    headers = (("WWW-Authenticate", 'Basic realm="Aeries"'),) if status == 401 else ()
    return json_answer(status, body, ("Cache-Control", "no-store"), *headers)


def token_answer(request: Request, path: str, district: "District", generation: str) -> Answer:
    """Answer a POST to one of `TOKEN_PATHS`."""
    endpoint = ENDPOINTS[generation]
    if path in endpoint.codeless:
        return json_answer(400, {"Message": "The request is invalid."})
    v1_authorize = generation == "v1" and path == AUTHORIZE_PATH
    if path != endpoint.path and not v1_authorize:
        return html_answer(404, IIS_404)
    if request.method != "POST":
        return json_answer(
            405,
            {"Message": f"The requested resource does not support http method '{request.method}'."},
            ("Allow", "POST"),
        )
    node = district.node_for(request)
    if v1_authorize:
        return _with_cookies(_authorize(request, district, node), request, district, node)
    if generation == "v1":
        return _with_cookies(_exchange_code(request, district, node), request, district, node)
    return _with_cookies(_client_credentials(request, district, node, endpoint), request, district, node)


def _client_credentials(request: Request, district: "District", node: "Node", endpoint: TokenEndpoint) -> Answer:
    form = _form(request)
    basic = _basic(request)
    fault = _malformed(request, form, basic, endpoint)
    if form is None or fault:
        return oauth_error(fault or "invalid_request")
    pair = basic
    if endpoint.body_credentials and "client_secret" in form:
        pair = (form.get("client_id", ""), form["client_secret"])
    record = _record(district, pair)
    if record is None:
        return oauth_error("invalid_client", district.settings.refused_status)
    if not record.oneroster and district.settings.unticked_refuses == "token":
        return oauth_error("unauthorized_client")
    if not endpoint.scopes:
        return _granted(district, node, record, frozenset(OFFERED_SCOPES), echoed=False)
    scopes = frozenset(form.get("scope", "").split())
    if not scopes or not scopes <= set(OFFERED_SCOPES):
        return oauth_error("invalid_scope" if scopes else district.settings.missing_scope)
    return _granted(district, node, record, scopes, echoed=True)


def _malformed(request: Request, form: dict[str, str] | None, basic: tuple[str, str] | None, endpoint: TokenEndpoint) -> str | None:
    """What is wrong with the shape of a token request, whoever sends it."""
    if form is None or request.query or (endpoint.scopes and "grant_type" not in form):
        return "invalid_request"
    if form.get("grant_type", "client_credentials") != "client_credentials":
        return "unsupported_grant_type"
    if basic and "client_secret" in form:  # RFC 6749 2.3: one way to authenticate in one request
        return "invalid_request"
    return None


def _authorize(request: Request, district: "District", node: "Node") -> Answer:
    """V1, first half. The member's name is a guess; no source shows the answer."""
    wanted = dict(request.query).get("client_id", "")
    record = next((one for one in district.records if one.consumer_id == wanted), None)
    if record is None:
        return oauth_error("invalid_client", district.settings.refused_status)
    code = district.hexadecimal(32)
    node.codes = {**node.codes, code: (record, district.clock() + CODE_SECONDS)}
    return json_answer(200, {"authorization_code": code})


def _exchange_code(request: Request, district: "District", node: "Node") -> Answer:
    """V1, second half: everything in the query, the secret too, which is why nobody should want it."""
    query = dict(request.query)
    if query.get("scope") != "OneRoster":
        return oauth_error("invalid_scope")
    known = node.codes.get(query.get("authorization_code", ""))
    if known is None or known[1] < district.clock():
        return oauth_error("invalid_grant")
    record = _record(district, (query.get("client_id", ""), query.get("client_secret", "")))
    if record is not known[0]:
        return oauth_error("invalid_client", district.settings.refused_status)
    node.codes = {code: value for code, value in node.codes.items() if value is not known}  # a code counts once
    if not record.oneroster and district.settings.unticked_refuses == "token":
        return oauth_error("unauthorized_client")
    return _granted(district, node, record, frozenset(OFFERED_SCOPES), echoed=False)


def _granted(district: "District", node: "Node", record: VendorRecord, scopes: frozenset[str], *, echoed: bool) -> Answer:
    token = district.grant(node, record, scopes, TOKEN_SECONDS)
    body: dict[str, object] = {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
    if echoed:
        body["scope"] = " ".join(scope for scope in OFFERED_SCOPES if scope in scopes)
    return json_answer(200, body, ("Cache-Control", "no-store"), ("Pragma", "no-cache"))


def _with_cookies(answer: Answer, request: Request, district: "District", node: "Node") -> Answer:
    """Every node starts its session at the first request it gets, granted or refused."""
    if request.cookies.get("ASP.NET_SessionId") in node.sessions:
        return answer
    session = district.new_session()
    node.sessions |= {session}
    cookies = [("Set-Cookie", f"ASP.NET_SessionId={session}; path=/; HttpOnly; SameSite=Lax")]
    if district.settings.affinity:
        cookies.append(("Set-Cookie", f"ARRAffinity={node.affinity}; Path=/; HttpOnly; Secure"))
    return answer.with_headers(*cookies)


def _form(request: Request) -> dict[str, str] | None:
    """The form body, or None when it is not one, or says a thing twice. An empty body is an empty form."""
    if not request.body:
        return {}
    content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


def _basic(request: Request) -> tuple[str, str] | None:
    """The pair of a Basic header; both halves form-decoded (RFC 6749 2.3.1), which changes no hexadecimal value."""
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (unquote_plus(user), unquote_plus(password)) if colon else None


def _record(district: "District", pair: tuple[str, str] | None) -> VendorRecord | None:
    return next((one for one in district.records if (one.consumer_id, one.consumer_secret) == pair), None)
