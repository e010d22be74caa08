"""What differs between SIS products, as data: paths, authentication, permissions, and the words for where a fix is made.

Adding a provider is adding one entry here and one scenario in the tests. Facts carry the reference section they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class TokenDialect:
    """One way to ask for a token: where (below the base URL), how the client proves itself, whether scopes are sent.

    ``client_auth`` is Authlib's name: ``client_secret_basic`` or ``client_secret_post``.
    """

    name: str
    path: str
    client_auth: str = "client_secret_basic"
    scoped: bool = True


@dataclass(frozen=True, slots=True)
class Wording:
    """How the product's own screens call things, so that the steps of an alert can be followed without thinking."""

    product: str
    record: str
    credentials_page: str
    reissue: tuple[str, ...]
    enable: tuple[str, ...]
    permit: tuple[str, ...]
    find_url: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provider:
    """One SIS product. ``permissions`` maps a collection to the box that opens it, as the product's page names it."""

    name: str
    version: str
    token_dialects: tuple[TokenDialect, ...]
    wording: Wording
    permissions: Mapping[str, str]
    subdirectory: bool = False
    has_systeminfo: bool = False


_AERIES_CORE: Final = MappingProxyType(
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
    wording=Wording(
        product="Aeries",
        record="3rd party vendor record (for example \"Incident IQ\")",
        credentials_page="Security > API Security",
        reissue=(
            "In Aeries open Security > API Security and select the vendor record (for example \"Incident IQ\"). If it is gone or "
            "new, it was deleted and recreated: the old Consumer ID and Secret are dead for good.",
            "Under Change, make sure that the OneRoster box is ticked (newer Aeries: Type is \"OneRoster\"), then Update.",
            "Tick \"Display Consumer ID & Secret Keys for OneRoster\" and copy both values.",
            "Store them in the secret {secret}, and enter the same pair in the product that reads this district "
            "(in Incident IQ: the Aeries app > Settings).",
        ),
        enable=(
            "In Aeries open Security > API Security, select the vendor record, choose Change, tick OneRoster (newer Aeries: set "
            "Type to \"OneRoster\") and choose Update.",
        ),
        permit=(
            "In Aeries open Security > API Security, select the vendor record, and under Permissions tick Read for: {boxes}.",
            "There is no Save button: a box counts as soon as it is green.",
        ),
        find_url=(
            "Open the Aeries login page as staff do and copy everything before the last \"/\" of the address; there is one "
            "sub-directory, as in https://district.aeries.net/aeries. Aeries-hosted: https://<district>api.aeries.net/admin.",
            "If the Admin portal is not public, or asks for a Windows login, use the Student portal's URL.",
        ),
    ),
    permissions=_AERIES_CORE,
    subdirectory=True,
    has_systeminfo=True,
)  # fmt: skip

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({provider.name: provider for provider in (AERIES,)})
