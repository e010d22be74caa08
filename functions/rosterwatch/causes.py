"""The catalogue: every cause that Rosterwatch can name, what it means, whose move it is and what to do about it.

The order is the order of repair: of several causes found at once, the one that stands first here is the one to mend first
(within one severity). Headlines and steps are templates over the facts that ``diagnosis.py`` gathers; a step that starts with
``@`` stands for the steps of that name in the provider's wording, so that it speaks of the product's own pages and boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rosterwatch.cause import Cause, Owner, Scope, Severity

_D, _H, _O = Scope.DISTRICT, Scope.HOST, Scope.OURSELVES
_ADMIN, _VENDOR, _NET, _US = Owner.DISTRICT, Owner.VENDOR, Owner.NETWORK, Owner.US
_NOTE, _TICKET, _PAGE = Severity.NOTE, Severity.TICKET, Severity.PAGE

_CATALOGUE: Final = (
    # -- ours: nothing can be said about the district before these are mended ---------------------------------------------
    Cause("secret_missing", _O, _US, _PAGE, 1, "The secret {secret} is gone, so {district} is no longer watched", (
        "If it was deleted by mistake: aws secretsmanager restore-secret --secret-id {secret}",
        "If the district is no longer yours to watch: rosterwatch remove {district}, and this alert closes.",
    )),
    Cause("secret_access_denied", _O, _US, _PAGE, 2, "We may not read the secret {secret}", (
        "Look at the secret's resource policy and, if it has a key of its own, at the key policy: the check_districts function "
        "needs secretsmanager:GetSecretValue and kms:Decrypt.",
        "The secret must lie under the prefix that the stack was deployed with.",
    )),
    Cause("secret_malformed", _O, _US, _PAGE, 1, "The secret {secret} cannot be used: {mistake}", (
        "Correct the secret {secret}. {mistakes}",
        "Storing it is enough: the district is visited again within a minute.",
    )),
    Cause("secret_unreadable", _O, _US, _TICKET, 3, "Secrets Manager did not hand out the secret {secret}", (
        "Look at the AWS Health Dashboard for Secrets Manager and KMS; nothing can be done about the district until it answers.",
    )),
    Cause("monitor_network", _O, _US, _PAGE, 2, "The monitor cannot see: its own way to the internet is down", (
        "Look at the subnets, NAT gateway, route tables and security groups of check_districts.",
        "No district is blamed meanwhile: their states are frozen.",
    )),
    Cause("address_not_allowed", _O, _US, _PAGE, 1, "{host} has only private or reserved addresses, which may not be visited", (
        "If the district's server really is inside your own network, deploy with AllowPrivateAddresses=true and in subnets that "
        "reach it (rosterwatch check: --allow-private).",
        "If not, the name {host} is wrong, or its DNS entry leaks an internal address: ask the district for the public URL.",
    )),
    # -- the way to the host ----------------------------------------------------------------------------------------------
    Cause("unreachable_dns", _H, _ADMIN, _PAGE, 2, "The host name {host} does not exist", (
        "Ask the district whether its server was renamed or moved to hosting, or whether the URL has a typing error.",
        "@find_url",
        "Change base_url in the secret {secret}, and the URL in the product that reads this district.",
    )),
    Cause("unreachable_dns_failing", _H, _NET, _PAGE, 3, "The name servers for {host} do not answer", (
        "Usually passes by itself. If it lasts for more than half an hour, tell whoever runs the district's DNS.",
        "Check from elsewhere: dig {host}",
    )),
    Cause("unreachable_timeout", _H, _NET, _PAGE, 2, "No connection to {host}: it drops what we send", (
        "Most often a firewall or an allow-list: ask the district to let the address of check_districts in. To leave from one "
        "fixed address, deploy with SubnetIds behind a NAT gateway.",
        "Test from outside the district: curl -sv --max-time 20 {url}",
        "If it is dead for everybody, the server or its line is down: the district's network team.",
    )),
    Cause("unreachable_refused", _H, _ADMIN, _PAGE, 2, "{host} is up, but nothing listens at port {port}", (
        "@start",
        "If the port in {url} is not the public one, correct base_url in the secret {secret}.",
    )),
    Cause("unreachable_route", _H, _NET, _PAGE, 2, "There is no route to {host}", (
        "The district's line or the route to it is down: the district's network team or its internet provider.",
        "If many districts show this at once, look at our own subnets first.",
    )),
    Cause("unreachable_reset", _H, _NET, _PAGE, 2, "{host} cuts the connection before it answers", (
        "Look at the log of the firewall or web application firewall in front of {host}: it probably refuses our address, or "
        "inspects TLS.",
        "On Windows Server check that TLS 1.2 is enabled.",
    )),
    Cause("certificate_expired", _H, _ADMIN, _PAGE, 1, "The TLS certificate of {host} has expired", (
        "Renew the certificate and bind the new one to the https binding of the {product} site.",
        "Every product that reads this district has stopped too; nothing needs to change on our side.",
    )),
    Cause("certificate_self_signed", _H, _ADMIN, _PAGE, 2,
          "The TLS certificate of {host} is self-signed, or from a private authority", (
        "Install a certificate from a public authority on {host}.",
        "If a private authority is intended, put its PEM into functions/ and deploy with CaBundleFile.",
    )),
    Cause("certificate_incomplete_chain", _H, _ADMIN, _PAGE, 2, "{host} does not send its intermediate TLS certificate", (
        "Install the full chain on {host} (certificate and intermediate). Browsers hide this fault by fetching the missing part; "
        "API clients do not.",
    )),
    Cause("certificate_wrong_name", _H, _ADMIN, _PAGE, 2, "The TLS certificate of {host} is for another name", (
        "Use the name that the certificate is for in base_url, or have the certificate reissued for {host}.",
        "After a move to hosting the URL usually changes: ask the district for the new one.",
    )),
    Cause("tls_too_old", _H, _ADMIN, _PAGE, 2, "{host} offers no TLS version that is still considered safe", (
        "Enable TLS 1.2 (better 1.3) and current cipher suites on {host}. {product} requires TLS 1.2.",
    )),
    Cause("tls_not_spoken", _H, _ADMIN, _PAGE, 2, "{host} does not speak TLS at port {port}", (
        "Correct the binding: something answers plain text where https belongs.",
        "If https lives at another port, put that port into base_url in the secret {secret}.",
    )),
    Cause("unreachable_tls", _H, _ADMIN, _PAGE, 2, "No TLS connection to {host} can be made", (
        "Look at the certificate and the TLS settings of {host}: openssl s_client -connect {host}:{port} -servername {host}",
    )),
    Cause("not_http", _H, _ADMIN, _PAGE, 2, "{host} answers, but not in HTTP", (
        "Something other than the {product} web site answers at {host}:{port}: look at the binding and at the proxy in front.",
    )),
    Cause("no_answer", _H, _ADMIN, _PAGE, 2, "{host} accepts the connection and then does not answer in time", (
        "Look at the server: a hanging process, a busy database or a backup are the usual reasons.",
        "@restart",
    )),
    # -- a site, but not the one we look for ------------------------------------------------------------------------------
    Cause("maintenance", _H, _ADMIN, _TICKET, 3, "{product} at {host} is closed for maintenance", (
        "An update is probably running. If it lasts for more than an hour, ask the district whether {product} was started again.",
        "@restart",
    )),
    Cause("throttled", _H, _US, _TICKET, 3, "{host} asks us to slow down", (
        "Visit less often (ScheduleExpression), or ask the district which other products poll it. {retry_after}",
    )),
    Cause("windows_authentication", _D, _ADMIN, _PAGE, 1, "{url} asks for a Windows login before {product} is reached", (
        "@windows_login",
        "Change base_url in the secret {secret}, and the URL in the product that reads this district.",
    )),
    Cause("redirected_elsewhere", _D, _ADMIN, _PAGE, 2, "{url} redirects to another host ({location})", (
        "Credentials are never sent along a redirect. Ask the district whether its site has moved to {location}; if a person "
        "confirms it, change base_url in the secret {secret}.",
        "If {location} is a single sign-on page, the API paths (/token, /ims, /api) must be exempted from it.",
    )),
    Cause("redirected_to_https", _D, _US, _PAGE, 1, "{url} only redirects to https", (
        "Write https:// in base_url. Credentials are never sent over plain http.",
    )),
    Cause("login_page", _D, _ADMIN, _PAGE, 2, "{url} answers with a login page instead of the API", (
        "@find_url",
        "If the URL is right, the API paths (/token, /ims/*, /api/*) must be exempted from the login in front of them.",
        "Change base_url in the secret {secret}, and the URL in the product that reads this district.",
    )),
    Cause("blocked", _D, _NET, _PAGE, 2, "A firewall in front of {host} blocks our requests", (
        "Ask the district to let us through its web application firewall: by our address, or by the User-Agent \"Rosterwatch\".",
        "A geographic or bot rule is the usual reason; browsers get through it, services do not.",
    )),
    Cause("redirected", _D, _ADMIN, _PAGE, 2, "{url} redirects instead of answering", (
        "@find_url",
        "Change base_url in the secret {secret} to the address that answers directly.",
    )),
    Cause("server_error", _H, _VENDOR, _PAGE, 2, "{product} at {host} fails with an error of its own (HTTP {status})", (
        "Look at the server's event log: the database, or an update that was left half done, are the usual reasons.",
        "If the district's own staff can work normally, {product} support needs the time of this alert and the path {target}.",
    )),
    # -- the token --------------------------------------------------------------------------------------------------------
    Cause("credentials_revoked", _D, _ADMIN, _PAGE, 1,
          "{credentials} revoked: {revoked}", (
        "@reissue",
        "Nothing else has to be done: storing the secret starts a new visit.",
    )),
    Cause("credentials_rotated_badly", _D, _US, _PAGE, 1,
          "The newly stored {either} is refused, while the one before it still works", (
        "Roll back: make the previous version of {secret} current again, then store the new pair once it is proved with "
        "rosterwatch check.",
        "@reissue",
    )),
    Cause("certificate_in_consumer_field", _D, _US, _PAGE, 1,
          "The API Certificate seems to be stored where the Consumer ID or Secret belongs", (
        "@reissue",
    )),
    Cause("credentials_wrong", _D, _ADMIN, _PAGE, 1, "The {either} is refused", (
        "Compare what is stored in {secret} with what {product} shows; a missing character or a value of another vendor's "
        "record is the usual reason.",
        "@reissue",
    )),
    Cause("clock_skew_refused", _H, _ADMIN, _PAGE, 1, "{host} refuses signed requests: its clock is not ours", (
        "A signature is good for a few minutes only. Let the server at {host} take its time from NTP; the evidence says how far "
        "off it is.",
        "Nothing is wrong with the {credentials} as far as can be seen: change nothing there.",
    )),
    Cause("credentials_expired", _D, _ADMIN, _PAGE, 1, "The {credentials} have expired", (
        "@renew",
        "Then correct expires_on in the secret {secret}, and the secret itself if the values changed.",
    )),
    Cause("client_not_allowed", _D, _ADMIN, _PAGE, 1, "{product} knows the credentials, but does not let them use OneRoster", (
        "@enable",
    )),
    Cause("scope_refused", _D, _ADMIN, _PAGE, 1, "{product} does not offer the scope that reading rosters needs", (
        "Check that the record is meant for OneRoster rostering (read), and the OneRoster version: scopes of 1.1 and 1.2 differ.",
        "@enable",
    )),
    Cause("our_bad_request", _D, _US, _TICKET, 2, "The token endpoint does not accept the form of our request", (
        "Not the district's fault. Please open an issue for Rosterwatch with the provider and version ({version}).",
    )),
    Cause("oneroster_disabled", _D, _ADMIN, _PAGE, 2, "{product} is up, but its OneRoster token page is not there", (
        "@switch_on",
    )),
    Cause("wrong_base_url", _D, _ADMIN, _PAGE, 2, "There is no {product} at {url}", (
        "@find_url",
        "Change base_url in the secret {secret}, and the URL in the product that reads this district.",
    )),
    Cause("token_url_wrong", _D, _ADMIN, _PAGE, 2, "{product} is there, but its token page is not where we ask for it", (
        "@find_url",
        "Store it as token_url in the secret {secret}; what one product shows as its token URL cannot be guessed for another.",
    )),
    Cause("token_unclear", _D, _ADMIN, _PAGE, 2, "The token page refuses without saying why (HTTP {status})", (
        "Usually a wrong address rather than a wrong secret. Compare the URL first.",
        "@find_url",
        "Then check that OneRoster is enabled for the vendor record.",
        "@enable",
    )),
    Cause("token_missing", _D, _VENDOR, _PAGE, 2, "The token page answers with success, but without a token", (
        "A proxy, a maintenance page or a wrong address answers for {product}: open {url} in a browser and compare.",
        "@find_url",
    )),
    Cause("bearer_refused", _D, _VENDOR, _PAGE, 2, "{product} grants a token and then refuses it", (
        "Most often several servers behind a load balancer that do not share tokens. Ask for a URL that is not load-balanced, or "
        "for sticky sessions.",
        "@restart",
    )),
    Cause("token_refused_in_part", _D, _ADMIN, _PAGE, 2,
          "{product} refuses its own token for {collections}, and takes it for the rest", (
        "If it is the same at every visit, the permission is missing, which some servers tell with a 401.",
        "@permit",
        "If it changes from visit to visit, several servers behind a load balancer do not share tokens: ask for a URL that is not "
        "load-balanced, or for sticky sessions.",
    )),
    # -- the data ---------------------------------------------------------------------------------------------------------
    Cause("not_oneroster", _D, _ADMIN, _PAGE, 2, "What answers at {url} is not OneRoster", (
        "@find_url",
        "Change base_url in the secret {secret}, and the URL in the product that reads this district.",
    )),
    Cause("oneroster_not_allowed", _D, _ADMIN, _PAGE, 1, "The credentials work, but every collection is refused", (
        "@enable",
        "@permit",
    )),
    Cause("permission_missing", _D, _ADMIN, _PAGE, 1, "No permission to read {collections}", (
        "@permit",
    )),
    Cause("everything_empty", _D, _ADMIN, _PAGE, 1,
          "Every collection is readable and empty: that is a missing authorisation, not an empty school", (
        "@permit",
        "@enable",
        "If all of it is allowed, what we use may be limited to no schools.",
        "@school_year",
    )),
    Cause("collection_missing", _D, _VENDOR, _PAGE, 2, "{product} does not know {collections} (HTTP 404)", (
        "Check the OneRoster version and base URL: other collections answer there.",
        "If this {product} never offered it, leave it out of \"required\" in the secret {secret}.",
    )),
    Cause("envelope_missing", _D, _VENDOR, _PAGE, 2, "{collections} answers with success, but without its list of records", (
        "{product} support needs the time of this alert: a 200 without \"{envelope}\" breaks every OneRoster client.",
    )),
    Cause("records_without_id", _D, _VENDOR, _PAGE, 2, "{collections} sends records without a sourcedId", (
        "{product} support needs the time of this alert: no OneRoster client can match records that have no sourcedId.",
    )),
    Cause("error_with_success", _D, _VENDOR, _PAGE, 2, "{collections} answers with an error dressed as success", (
        "A proxy or a maintenance page in front of {product} is the usual reason; {product} support if it lasts.",
    )),
    Cause("truncated", _D, _VENDOR, _PAGE, 2, "The answer for {collections} is broken JSON: it stops in the middle", (
        "A proxy or a time limit cuts answers short: look at the proxy in front of {product} and at its log.",
    )),
    Cause("body_too_large", _D, _VENDOR, _TICKET, 2, "{collections} ignores limit=1 and sends more than we accept", (
        "Clients that page through this collection get everything at once: {product} support.",
    )),
    Cause("encoded_unasked", _D, _VENDOR, _TICKET, 2, "{collections} is sent compressed although that was not asked for", (
        "A proxy in front of {product} compresses without being asked to: have it honour Accept-Encoding.",
    )),
    Cause("request_refused", _D, _VENDOR, _PAGE, 2, "{collections} is refused (HTTP {status})", (
        "{product} support needs the time of this alert and the path {target}.",
    )),
    Cause("collection_failing", _D, _VENDOR, _PAGE, 2, "{collections} fails, while the rest of {product} answers", (
        "{product} support needs the time of this alert and the path {target}; the district's staff may see the same error on the "
        "page for it.",
    )),
    Cause("wrong_school_year", _D, _ADMIN, _PAGE, 2, "{product} answers from the wrong school year ({database_year})", (
        "@school_year",
    )),
    Cause("wrong_terms", _D, _ADMIN, _TICKET, 2, "The terms in {product} are those of another school year", (
        "@terms",
        "If a rollover to the new school year is under way, it ends this; products that read terms find no current one until then.",
    )),
    Cause("collection_empty", _D, _ADMIN, _PAGE, 1, "No records in {collections}", (
        "If it held records before, ask what changed: a permission, the schedule, a rollover.",
        "@permit",
        "@school_year",
    )),
    Cause("shrunk", _D, _ADMIN, _TICKET, 2, "Far fewer records than usual in {collections}", (
        "Compare with the district's own count. A rollover in progress, a school that was left out, or combined sections are the "
        "usual reasons.",
        "If the new number is right, nothing has to be done: it becomes the new baseline.",
    )),
    # -- neither up nor down ----------------------------------------------------------------------------------------------
    Cause("flapping", _D, _ADMIN, _PAGE, 1, "{district} goes to and fro between working and failing", (
        "Look at what comes and goes: one of several servers behind a load balancer, a restart every few minutes, a line at its "
        "limit. The evidence names what was found last.",
        "Nothing more is sent until it has settled, one way or the other.",
    )),
    # -- besides ----------------------------------------------------------------------------------------------------------
    Cause("api_certificate_wrong", _D, _ADMIN, _TICKET, 1, "The API Certificate is refused", (
        "Copy the Certificate again: Security > API Security, the vendor record, \"Display Certificate Details\". It was renewed "
        "if the record was recreated.",
        "Store it as api_certificate in the secret {secret}; capital letters matter. Or leave it out if nobody uses it.",
    )),
    Cause("api_certificate_permission", _D, _ADMIN, _TICKET, 1, "The API Certificate works, but may not read School Information", (
        "In Aeries open Security > API Security, select the vendor record, and under Permissions tick Read for: School Information "
        "> Schools.",
    )),
    Cause("api_certificate_path", _D, _ADMIN, _TICKET, 2, "The Aeries API for the certificate is not found at {url}", (
        "If OneRoster works there, the regular API is probably switched off or lives at another address: ask the district.",
    )),
    Cause("api_certificate_unproved", _D, _VENDOR, _TICKET, 3, "The API Certificate could not be checked", (
        "The Aeries API did not answer properly. Nothing to do unless it lasts while OneRoster works.",
    )),
    Cause("certificate_expiring", _H, _ADMIN, _TICKET, 1, "The TLS certificate of {host} expires {days}", (
        "Renew the certificate before {expires_on} and bind the new one to the https binding of the {product} site.",
    )),
    Cause("credentials_expiring", _D, _ADMIN, _TICKET, 1, "The {credentials} {ending} ({expires_on})", (
        "@renew",
        "If they were renewed already, correct expires_on in the secret {secret}.",
    )),
    Cause("clock_skew", _H, _ADMIN, _TICKET, 3, "The clock of {host} is {offset} off", (
        "Let the server take its time from NTP. Tokens, signatures and \"changed since\" queries depend on it.",
    )),
    Cause("slow", _H, _ADMIN, _TICKET, 3, "{host} takes more than {seconds} seconds for a single record", (
        "Look at the load of the server and its database at this time of day; backups and full exports of other products are the "
        "usual reasons.",
    )),
    Cause("scope_narrowed", _D, _ADMIN, _NOTE, 1, "{product} grants less than was asked for ({scopes})", (
        "Nothing to do while all required collections are readable.",
    )),
    Cause("between_school_years", _D, _ADMIN, _NOTE, 1, "School is out: {collections} is empty, as it is every year", (
        "Nothing to do. It is watched again as soon as a term begins{term_begins}.",
    )),
    Cause("envelope_aliased", _D, _VENDOR, _NOTE, 1, "{collections} uses a member name that the specification does not know", (
        "Nothing to do: \"{envelope}\" is accepted here. Other clients may stumble over it.",
    )),
    Cause("limit_ignored", _D, _VENDOR, _NOTE, 1, "{collections} ignores limit=1", (
        "Nothing to do. Paging clients may read everything several times.",
    )),
    Cause("optional_unreadable", _D, _ADMIN, _NOTE, 1, "Optional collections cannot be read: {collections}", (
        "Nothing to do unless it is needed. To stop looking at it, leave it out of \"optional\" in the secret {secret}.",
    )),
    # -- and the honest answer --------------------------------------------------------------------------------------------
    Cause("unknown", _D, _US, _PAGE, 3, "The visit failed in a way that we cannot name", (
        "Compare the evidence with what you see by hand: rosterwatch check --url {url}",
        "Please open an issue for Rosterwatch with the evidence, so that it gets a name.",
    )),
)  # fmt: skip

CAUSES: Final[Mapping[str, Cause]] = MappingProxyType({cause.name: cause for cause in _CATALOGUE})
ORDER: Final[Mapping[str, int]] = MappingProxyType({cause.name: index for index, cause in enumerate(_CATALOGUE)})

#: Causes that a monitor without a way to the internet would see at every district: found at most of them at once, they are ours.
NETWORK: Final = frozenset(
    {
        "unreachable_dns",
        "unreachable_dns_failing",
        "unreachable_timeout",
        "unreachable_refused",
        "unreachable_route",
        "unreachable_reset",
        "unreachable_tls",
        "no_answer",
    }
)
