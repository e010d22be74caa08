"""How each SIS product's own screens call things, so that the steps of an alert can be followed without thinking.

The catalogue of causes refers to these by name; whatever is true of one product only stands here and not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Wording:
    """One product's words. Every tuple is a list of steps, templates over the facts of a finding.

    ``credentials`` is what the pair (or the token) is called, ``either`` one of it, ``revoked`` how it usually comes to be refused
    overnight.
    """

    product: str
    record: str
    credentials_page: str
    reissue: tuple[str, ...]
    enable: tuple[str, ...]
    permit: tuple[str, ...]
    find_url: tuple[str, ...]
    credentials: str = "Client ID and Secret"
    either: str = "Client ID or Secret"
    revoked: str = "deleted, renewed or switched off at the source"
    renew: tuple[str, ...] = ()
    start: tuple[str, ...] = (
        "Start the server that serves {product} at {host}, or the web site in front of it (https, port {port}).",
    )
    restart: tuple[str, ...] = ("If it hangs, have whoever runs {product} restart it.",)
    windows_login: tuple[str, ...] = (
        "Something in front of {product} asks for a Windows login: the API paths must be exempted from it.",
    )
    switch_on: tuple[str, ...] = ("Have OneRoster switched on in {product}.",)
    terms: tuple[str, ...] = ("Look at the terms of each school in {product}: the dates must be those of the running school year.",)
    school_year: tuple[str, ...] = ("Check that {product} shows the current school year, and that its rollover is finished.",)


_STORE: Final = (
    "Store them as consumer_id and consumer_secret in the secret {secret}, and enter the same pair in the product that reads "
    "this district."
)

AERIES: Final = Wording(
    product="Aeries",
    record='3rd party vendor record (for example "Incident IQ")',
    credentials_page="Security > API Security",
    credentials="Consumer ID and Secret",
    either="Consumer ID or Secret",
    revoked="vendor record deleted, recreated or unticked",
    reissue=(
        'In Aeries open Security > API Security and select the vendor record (for example "Incident IQ"). If it is gone or '
        "new, it was deleted and recreated: the old Consumer ID and Secret are dead for good.",
        'Under Change, make sure that the OneRoster box is ticked (newer Aeries: Type is "OneRoster"), then Update.',
        'Tick "Display Consumer ID & Secret Keys for OneRoster" and copy both values.',
        "Store them in the secret {secret}, and enter the same pair in the product that reads this district "
        "(in Incident IQ: the Aeries app > Settings).",
    ),
    enable=(
        "In Aeries open Security > API Security, select the vendor record, choose Change, tick OneRoster (newer Aeries: set "
        'Type to "OneRoster") and choose Update.',
    ),
    permit=(
        "In Aeries open Security > API Security, select the vendor record, and under Permissions tick Read for: {boxes}.",
        "There is no Save button: a box counts as soon as it is green.",
    ),
    find_url=(
        'Open the Aeries login page as staff do and copy everything before the last "/" of the address; there is one '
        "sub-directory, as in https://district.aeries.net/aeries. Aeries-hosted: https://<district>api.aeries.net/admin.",
        "If the Admin portal is not public, or asks for a Windows login, use the Student portal's URL.",
    ),
    renew=("Delete and recreate the vendor record in Security > API Security, and store the new Consumer ID and Secret.",),
    start=("Start the web site: in IIS Manager select the Aeries site, look at Start and at its https binding (port {port}).",),
    restart=("Recycling the Aeries application pool helps if it hangs.",),
    windows_login=(
        "Use the Student portal's URL (it needs no Windows login and its API works the same), or give the API paths anonymous "
        "authentication in IIS.",
    ),
    switch_on=(
        "In Aeries, at district level: School Info > School Options > Edit > OneRoster Settings > Enable.",
        "Then recycle the application pool in IIS; before that the setting has no effect (hosted districts: Aeries support).",
        "If it was enabled all along, look at base_url, which ends in one sub-directory (https://host/aeries or "
        "https://host/admin), and at token_url, if the secret names one.",
    ),
    terms=("In Aeries look at School Info > Terms of each school: the dates must be those of the running school year.",),
    school_year=(
        "Check that the default database is the current school year's, and that the New Year Rollover is finished (hosted "
        "districts: Aeries support).",
    ),
)

_ANY: Final = Wording(
    product="OneRoster",
    record="API client",
    credentials_page="the page where the SIS shows its OneRoster API clients",
    reissue=(
        "On the page where the SIS shows its OneRoster API clients, look whether ours is still there and active, and copy its id "
        "and secret again (or have new ones made).",
        _STORE,
    ),
    enable=(
        "On the page where the SIS shows its OneRoster API clients, switch ours on for rostering, reading only.",
        "If it lists scopes, grant roster-core.readonly; demographics has a scope of its own.",
    ),
    permit=(
        "On the page where the SIS shows its OneRoster API clients, allow ours to read: {boxes}.",
        "If it lists scopes instead, roster-core.readonly covers all but demographics, which has a scope of its own.",
    ),
    find_url=(
        "Ask the district for its OneRoster base URL (what stands before /ims/oneroster) and its token URL, and compare them with "
        'base_url, and with token_url and data_url if they are given, in the secret {secret}. "rosterwatch check" without '
        "--provider looks for them.",
    ),
    renew=("Have the SIS renew the API client, and store the new id and secret.",),
)

GENERIC_1_1: Final = replace(_ANY, product="OneRoster 1.1")
GENERIC_1_2: Final = replace(_ANY, product="OneRoster 1.2")

CLASSLINK: Final = replace(
    _ANY,
    product="ClassLink",
    record="application in Roster Server",
    credentials_page="ClassLink Roster Server > Applications",
    credentials="OAuth key and secret",
    either="OAuth key or secret",
    revoked="the application was removed, or its key and secret were made anew",
    reissue=(
        "In ClassLink Roster Server open Applications and select the application: it must be there and active. Copy its Key and "
        "Secret (OneRoster API) again.",
        _STORE,
    ),
    enable=("In ClassLink Roster Server open Applications, select the application and switch its OneRoster API access on.",),
    permit=("In ClassLink Roster Server open Applications, select the application and share with it: {boxes}.",),
    find_url=(
        "In ClassLink Roster Server open Applications, select the application and copy its endpoint URL; base_url is what stands "
        "before /ims/oneroster.",
    ),
    renew=("Have a new key and secret made in ClassLink Roster Server, and store them.",),
)

CLASSLINK_PROXY: Final = replace(
    CLASSLINK,
    product="the ClassLink proxy",
    credentials="bearer token",
    either="bearer token",
    revoked="the application was removed, or its token was made anew",
    reissue=(
        "In ClassLink's developer console select the application and copy its bearer token again.",
        "Store it as bearer_token in the secret {secret}, and enter the same token in the product that reads this district.",
        "The district itself may have withdrawn the application: in Roster Server it must still be shared with you.",
    ),
    find_url=(
        "base_url is https://oneroster-proxy.classlink.io/ followed by the id of the district's application, which "
        "/applications lists.",
    ),
    renew=("Have a new token made in ClassLink's developer console, and store it.",),
)

INFINITE_CAMPUS: Final = replace(
    _ANY,
    product="Infinite Campus",
    record="OneRoster connection in Digital Learning Applications",
    credentials_page="Digital Learning Applications",
    revoked="the connection was deleted, made inactive, or has expired",
    reissue=(
        "In Infinite Campus open Digital Learning Applications and the vendor's OneRoster connection: its Status must be Active. "
        "A 1.1 connection expires one year after it was made: choose Renew.",
        "Copy Client ID and Client Secret from the connection.",
        _STORE,
    ),
    enable=(
        "In Infinite Campus open Digital Learning Applications and the vendor's OneRoster connection, set its Status to Active, "
        "and check that it is for the same OneRoster version.",
    ),
    permit=(
        'In Infinite Campus open Digital Learning Applications and the vendor\'s OneRoster connection: "Data to Share" must '
        "include: {boxes}.",
    ),
    find_url=(
        "In Infinite Campus open Digital Learning Applications and the vendor's OneRoster connection, and copy Token URL and Base "
        "URL. The token URL ends in /campus/oauth2/token?appName= and the application's name; without it the answer is "
        '"No Campus Application selected".',
        "Store them as token_url and data_url in the secret {secret}.",
    ),
    renew=(
        "In Infinite Campus open Digital Learning Applications and the vendor's OneRoster connection, and choose Renew. Then "
        "correct expires_on in the secret {secret}.",
    ),
)

POWERSCHOOL: Final = replace(
    _ANY,
    product="PowerSchool",
    record="plugin",
    credentials_page="System > System Settings > Plugin Management Configuration > Data Provider Configuration",
    revoked="the plugin was removed, disabled, or its credentials were regenerated",
    reissue=(
        "In PowerSchool open Plugin Management Configuration, select the plugin, and look whether it is still enabled.",
        'Open its Data Provider Configuration and copy Client ID and Client Secret. "Regenerate Client ID and Secret" there kills '
        "the pair before: whoever pressed it has to tell every product that uses it.",
        _STORE,
    ),
    enable=("In PowerSchool open Plugin Management Configuration and enable the plugin; it must be one that asks for OneRoster.",),
    permit=(
        "In PowerSchool the plugin itself asks for what it may read. Install its newest version, enable it again, and check that "
        "it covers: {boxes}.",
    ),
    find_url=(
        "base_url is the address of the PowerSchool server without any page (https://district.powerschool.com); the token page is "
        "/oauth/access_token below it.",
    ),
    renew=(
        'In PowerSchool open the plugin\'s Data Provider Configuration and choose "Regenerate Client ID and Secret", then store '
        "the new pair everywhere at once.",
    ),
)

SKYWARD: Final = replace(
    _ANY,
    product="Skyward",
    record="API credential",
    credentials_page="the page of API credentials",
    credentials="Key and Secret",
    either="Key or Secret",
    reissue=("In Skyward open the vendor's API credential, look whether it is active, and copy Key and Secret again.", _STORE),
    enable=("In Skyward open the vendor's API credential and switch OneRoster on for it.",),
    permit=("In Skyward open the vendor's API credential and allow it to read: {boxes}.",),
    find_url=(
        "Ask the district for both URLs that Skyward shows: data lies below /api/ims/oneroster/v1p1, and the token URL cannot be "
        "derived from it. Store them as base_url and token_url in the secret {secret}.",
    ),
    renew=("Have a new Key and Secret made in Skyward, and store them.",),
)

SYNERGY: Final = replace(
    _ANY,
    product="Synergy",
    record="OneRoster API client",
    credentials_page="the page of OneRoster API clients",
    reissue=("In Synergy open the vendor's OneRoster API client, look whether it is active, and copy id and secret again.", _STORE),
    enable=(
        "In Synergy open the vendor's OneRoster API client and grant it the scopes that we ask for: roster-core.readonly and, for "
        "demographics, roster-demographics.readonly.",
    ),
    permit=(
        "In Synergy open the vendor's OneRoster API client and grant it the scopes that cover: {boxes}.",
        "roster-core.readonly covers all but demographics, which has a scope of its own.",
    ),
)

ESCHOOLPLUS: Final = replace(
    _ANY,
    product="eSchoolPlus",
    record="API profile",
    credentials_page="API Profiles",
    revoked="the API profile was removed, switched off, or its secret was made anew",
    reissue=(
        "In eSchoolPlus open API Profiles and the vendor's profile, check that its method is OAuth2, and copy id and secret.",
        _STORE,
    ),
    enable=("In eSchoolPlus open API Profiles and the vendor's profile: its method must be OAuth2, and OneRoster be enabled.",),
    permit=("In eSchoolPlus open API Profiles and the vendor's profile, and enable the endpoints for: {boxes}.",),
)

EDFI: Final = replace(
    _ANY,
    product="Ed-Fi OneRoster",
    record="application of the Ed-Fi API",
    credentials_page="the Ed-Fi admin application",
    credentials="Key and Secret",
    either="Key or Secret",
    revoked="the application was removed, or its key and secret were reset",
    reissue=(
        "In the Ed-Fi admin application select the vendor's application, and have its Key and Secret shown again or reset.",
        _STORE,
    ),
    enable=("In the Ed-Fi admin application give the vendor's application a claim set that has the OneRoster scopes.",),
    permit=(
        "In the Ed-Fi admin application give the vendor's application the scope that covers: {boxes}. roster-core.readonly covers "
        "all but demographics, which has a scope of its own.",
    ),
    find_url=(
        "The server's own start page (a JSON document at its root) names its data URL and its token URL, which is usually on "
        "another host. Store them as base_url and token_url in the secret {secret}.",
    ),
)

VERACROSS: Final = replace(
    _ANY,
    product="Veracross",
    record="OAuth application",
    credentials_page="the page of OAuth applications",
    reissue=("In Veracross open the vendor's OAuth application, look whether it is active, and copy id and secret again.", _STORE),
    enable=("In Veracross open the vendor's OAuth application and grant it the OneRoster scopes.",),
    permit=("In Veracross open the vendor's OAuth application and grant it the scopes that cover: {boxes}.",),
)
