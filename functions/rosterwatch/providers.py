"""What differs between SIS products, as data: roots, token paths, authentication, scopes, permissions, quirks.

Adding a provider is adding one entry here, its words in ``wording.py`` and one scenario in the tests. ``docs/providers.md`` shows
all of it, and says of each fact how sure we are: what a district knows better it overrides in its secret.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from rosterwatch import oneroster, wording
from rosterwatch.wording import Wording


class Auth(enum.StrEnum):
    """How a client proves who it is. The values are what ``auth`` in a secret may say."""

    OAUTH2_BASIC = "oauth2_basic"  # id and secret as they are, in a Basic header at the token URL
    OAUTH2_BASIC_ENCODED = "oauth2_basic_encoded"  # the same, each form-encoded first (RFC 6749 section 2.3.1)
    OAUTH2_POST = "oauth2_post"  # client_id and client_secret in the form
    OAUTH1_SHA1 = "oauth1_sha1"  # OAuth 1.0a: every request signed with HMAC-SHA1
    OAUTH1_SHA256 = "oauth1_sha256"  # OAuth 1.0a: every request signed with HMAC-SHA256
    BEARER = "bearer"  # a token that was handed over and does not change
    AERIES_V1_CODE = "aeries_v1_code"  # Aeries' oldest: a code first, then the secret in a query; only when asked for

    @property
    def asks_for_token(self) -> bool:
        """Whether a token has to be fetched before there is any data."""
        return self not in (Auth.OAUTH1_SHA1, Auth.OAUTH1_SHA256, Auth.BEARER)

    @property
    def signs(self) -> bool:
        """Whether each request is signed."""
        return self in (Auth.OAUTH1_SHA1, Auth.OAUTH1_SHA256)


@dataclass(frozen=True, slots=True)
class TokenDialect:
    """One way to ask for a token: where, how the client proves itself, whether scopes are sent.

    ``path`` lies below the base URL, or is a whole URL.
    """

    name: str
    path: str
    auth: Auth = Auth.OAUTH2_BASIC
    scoped: bool = True

    def url(self, base_url: str) -> str:
        """The whole URL."""
        return self.path if "://" in self.path else base_url + self.path


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to know about a product, where it was read, and whether it is sure."""

    text: str
    source: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """One SIS product.

    ``permissions`` maps a collection to the box that opens it, as the product's page names it. ``data_path`` is where data lives
    below the base URL (``None``: where the specification puts it), ``scopes`` what to ask for (``None``: what it names).
    ``subdirectory``: the product's root is exactly one folder below the host. ``hosts`` are endings of host names that give the
    product away.
    """

    name: str
    version: str
    token_dialects: tuple[TokenDialect, ...]
    wording: Wording
    permissions: Mapping[str, str] = field(default_factory=lambda: {name: name for name in oneroster.ENVELOPES})
    subdirectory: bool = False
    has_systeminfo: bool = False
    auth: Auth = Auth.OAUTH2_BASIC
    data_path: str | None = None
    scopes: tuple[str, ...] | None = None
    required: tuple[str, ...] = oneroster.REQUIRED
    optional: tuple[str, ...] = oneroster.OPTIONAL
    hosts: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


_AERIES_PERMISSIONS: Final = MappingProxyType(
    {
        # reference section 1.4; the last three rows are inferred there, the guide has a box "Users" of its own
        "orgs": "School Information > Schools",
        "schools": "School Information > Schools",
        "academicSessions": "School Information > Terms",
        "terms": "School Information > Terms",
        "gradingPeriods": "School Information > Terms",
        "courses": "Scheduling > Course Data",
        "classes": "Scheduling > Master Schedule",
        "enrollments": "Scheduling > Classes",
        "students": "Student Data > Student Data",
        "demographics": "Student Data > Student Data",
        "teachers": "Scheduling > Teacher Data",
        "users": "School Information > Users",
    }
)

AERIES: Final = Provider(
    name="aeries",
    version="1.1",
    # reference section 1.3: the current dialect first, then the paths and the scopeless dialects of older builds
    token_dialects=(
        TokenDialect("token", "/token"),
        TokenDialect("token_slash", "/token/"),
        TokenDialect("v2", "/v2/oauth/token", scoped=False),
        TokenDialect("oauth", "/oauth/token"),
    ),
    wording=wording.AERIES,
    permissions=_AERIES_PERMISSIONS,
    subdirectory=True,
    has_systeminfo=True,
    hosts=("aeries.net",),
    facts=(
        Fact("The base URL has exactly one sub-directory.", "Aeries' setup article"),
        Fact("Cookies that come with the token must be sent with every later request.", "Aeries' authentication article"),
        Fact("Only students with a current enrolment are listed, so lists are empty between school years.", "Aeries' mapping"),
        Fact("Credentials cannot be changed: a record is deleted and recreated.", "Incident IQ's guide"),
        Fact("A permission that is missing answers 403 on its collection.", "one district's field notes", sure=False),
    ),
)  # fmt: skip

# Where the servers we know of give out tokens when nobody says where: tried in this order, below the base URL.
_USUAL_TOKEN_PATHS: Final = (
    TokenDialect("token", "/token"),
    TokenDialect("oauth", "/oauth/token"),
    TokenDialect("oauth2", "/oauth2/token"),
    TokenDialect("access_token", "/oauth/access_token"),
    TokenDialect("oneroster", "/ims/oneroster/token"),
    TokenDialect("auth", "/auth/token"),
)

CLASSLINK: Final = Provider(
    name="classlink",
    version="1.1",
    token_dialects=(),
    wording=wording.CLASSLINK,
    auth=Auth.OAUTH1_SHA256,
    facts=(
        Fact("Direct access signs every request (OAuth 1.0a, HMAC-SHA256); there is no token.", "ClassLink's client code"),
        Fact("An error can come as JSON whose first member is \"error\".", "public client code", sure=False),
    ),
)  # fmt: skip

CLASSLINK_PROXY: Final = Provider(
    name="classlink_proxy",
    version="1.1",
    token_dialects=(),
    wording=wording.CLASSLINK_PROXY,
    auth=Auth.BEARER,
    hosts=("oneroster-proxy.classlink.io",),
    facts=(
        Fact("base_url is https://oneroster-proxy.classlink.io/<application id>.", "ClassLink's developer site"),
        Fact("The bearer token does not expire.", "ClassLink's developer site"),
    ),
)

INFINITE_CAMPUS: Final = Provider(
    name="infinite_campus",
    version="1.2",
    # Without appName it answers with the text "No Campus Application selected".
    token_dialects=(TokenDialect("oauth2", "/oauth2/token"),),
    wording=wording.INFINITE_CAMPUS,
    data_path="/api/ims/oneroster/rostering/v1p2",
    hosts=("infinitecampus.org", "infinitecampus.com"),
    facts=(
        Fact("base_url is https://<host>/campus; the token URL ends in /campus/oauth2/token?appName=<application>.",
             "Infinite Campus's consumer guidelines"),
        Fact("Data of 1.2 also lives at /campus/api/oneroster/v1p2/<application>/ims/oneroster/rostering/v1p2: give data_url then.",
             "public client code"),
        Fact("1.1 connections expire one year after they were made or renewed; 1.2 connections do not. Give expires_on for 1.1.",
             "Infinite Campus's knowledge base"),
        Fact("OAuth 1.0 ended on 2023-06-30.", "Infinite Campus's knowledge base"),
        Fact("1.1 lists only people who have a user account; moving to 1.2 changes every sourcedId.",
             "Infinite Campus's knowledge base"),
    ),
)  # fmt: skip

POWERSCHOOL: Final = Provider(
    name="powerschool",
    version="1.1",
    token_dialects=(TokenDialect("access_token", "/oauth/access_token"), TokenDialect("slash", "/oauth/access_token/")),
    wording=wording.POWERSCHOOL,
    hosts=("powerschool.com",),
    facts=(
        Fact("The token answer has expires_in as a string.", "PowerSchool's documented sample"),
        Fact("A plugin's Data Configuration caps the page size.", "PowerSchool's documentation"),
        Fact("Data lies below /ims/oneroster/v1p1 at the server's root.", "public client code", sure=False),
        Fact("Newer platform services give tokens at https://accounts.powerschool.com/as/token.oauth2 with id and secret in the "
             "form: give token_url and auth oauth2_post then.", "PowerSchool's documentation", sure=False),
    ),
)  # fmt: skip

SKYWARD: Final = Provider(
    name="skyward",
    version="1.1",
    token_dialects=(TokenDialect("token", "/token"), TokenDialect("oauth", "/oauth/token")),
    wording=wording.SKYWARD,
    data_path="/api/ims/oneroster/v1p1",
    facts=(
        Fact("The token URL cannot be derived from the base URL.", "community notes", sure=False),
        Fact("Data lies below /api/ims/oneroster/v1p1.", "community notes", sure=False),
    ),
)

SYNERGY: Final = Provider(
    name="synergy",
    version="1.1",
    token_dialects=(TokenDialect("token", "/token"), TokenDialect("oauth", "/oauth/token")),
    wording=wording.SYNERGY,
    facts=(
        Fact("OAuth 2 only; id and secret in a Basic header, grant and scope in the form.", "public client code"),
        Fact("Scopes must be granted to the client before it can ask for them.", "a vendor's troubleshooting page"),
        Fact("Where the token URL lies.", "nobody says; give token_url if it is not /token", sure=False),
    ),
)

ESCHOOLPLUS: Final = Provider(
    name="eschoolplus",
    version="1.2",
    token_dialects=(TokenDialect("token", "/token"), TokenDialect("oauth", "/oauth/token")),
    wording=wording.ESCHOOLPLUS,
    facts=(
        Fact("OneRoster 1.2 since release 21.4; older releases speak 1.1: give version then.", "eSchoolPlus's documentation"),
        Fact("Each endpoint is enabled for itself in the API profile, whose method must be OAuth2.", "eSchoolPlus's documentation"),
        Fact("Where the token URL lies.", "nobody says; give token_url if it is not /token", sure=False),
    ),
)

EDFI: Final = Provider(
    name="edfi",
    version="1.2",
    token_dialects=(TokenDialect("oauth", "/oauth/token"), TokenDialect("token", "/token")),
    wording=wording.EDFI,
    facts=(
        Fact("Tokens are JWTs of the Ed-Fi API's own issuer, usually on another host: give token_url then.",
             "its source code"),
        Fact("No X-Total-Count and no Link header.", "its source code"),
        Fact("60 to 100 requests a minute and address are answered, then 429 as text/html.", "its source code"),
        Fact("403 names the scope that is missing; demographics needs its own.", "its source code"),
    ),
)  # fmt: skip

VERACROSS: Final = Provider(
    name="veracross",
    version="1.1",
    token_dialects=(TokenDialect("oauth", "/oauth/token"), TokenDialect("token", "/token")),
    wording=wording.VERACROSS,
    facts=(
        Fact("A page holds at most 100 records.", "public client code"),
        Fact("Scopes beside the specification's are in use: give scopes if these are refused.", "public client code", sure=False),
        Fact("Where the token URL lies.", "give token_url as Veracross names it", sure=False),
    ),
)

GENERIC_1_1: Final = Provider("generic_1_1", "1.1", _USUAL_TOKEN_PATHS, wording.GENERIC_1_1)
GENERIC_1_2: Final = Provider("generic_1_2", "1.2", _USUAL_TOKEN_PATHS, wording.GENERIC_1_2)

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        provider.name: provider
        for provider in (
            AERIES,
            CLASSLINK,
            CLASSLINK_PROXY,
            INFINITE_CAMPUS,
            POWERSCHOOL,
            SKYWARD,
            SYNERGY,
            ESCHOOLPLUS,
            EDFI,
            VERACROSS,
            GENERIC_1_1,
            GENERIC_1_2,
        )
    }
)
