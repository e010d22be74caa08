"""What operators and AWS hand us: secrets, URLs, addresses, CSV files, messages of the queue."""

from __future__ import annotations

import ipaddress
import json
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from rosterwatch import oneroster
from rosterwatch.address import BaseUrl, data_root, exact, is_loopback, normalise
from rosterwatch.csv_file import NAME, read_rows
from rosterwatch.district import District, SecretFault, SecretTrouble, looks_like_certificate, parse_secret
from rosterwatch.fields import LISTS, TEXTS
from rosterwatch.network import is_allowed
from rosterwatch.queue import REASONS, MessageError, Visit, from_message, is_district, to_message
from tests.fuzz.chance import PLANTED, Chance

_KEYS: Final = (*TEXTS, *LISTS)
_GOOD: Final[tuple[dict[str, Any], ...]] = (
    {"base_url": "https://sis.example.org/aeries", "consumer_id": "a1" * 32, "consumer_secret": PLANTED * 4},
    {"base_url": "https://sis.example.org/aeries/", "consumer_id": "b", "consumer_secret": PLANTED, "api_certificate": PLANTED * 2},
    {"base_url": "https://sis.example.org/x", "provider": "generic_1_2", "auth": "bearer", "bearer_token": PLANTED},
    {
        "base_url": "https://sis.example.org/ims/oneroster/v1p1",
        "provider": "generic_1_1",
        "consumer_id": PLANTED,
        "consumer_secret": PLANTED + "x",
        "token_url": "https://id.example.net/oauth/token?tenant=7",
        "scopes": ["a", "b"],
        "required": ["orgs", "users"],
        "terms": [["2026-08-12", "2027-06-04"]],
        "expires_on": "2027-06-30",
        "version": "1.1",
    },
)
_VALUES: Final = (
    "aeries",
    "classlink",
    "oauth1_sha256",
    "bearer",
    "1.2",
    "orgs",
    [["2026-08-12", "2026-08-11"]],
    PLANTED,
    "a" * 70_000,
)
_SHOWN_URLS: Final = ("base_url", "data_url", "token_url", "provider")


def secrets(chance: Chance) -> None:
    """A secret is a district that can be visited, or mistakes that name fields and never a value."""
    document = chance.changed(chance.choice(_GOOD), _KEYS, _VALUES)
    text = chance.as_json(document) if chance.randrange(10) else chance.spoilt(chance.as_json(document))
    found = parse_secret("springfield", text)
    assert found == parse_secret("springfield", text)
    if isinstance(found, SecretFault):
        assert found.trouble is SecretTrouble.MALFORMED
        assert found.mistakes
        assert PLANTED not in "".join(found.mistakes)
        assert all(len(mistake) < 2_000 and "\n" not in mistake for mistake in found.mistakes)
        return
    given = json.loads(text)
    assert found.base.url.startswith("https://")
    assert found.data.url.startswith("https://")
    assert all(dialect.url(found.base.url).startswith("https://") for dialect in found.token_dialects)
    assert found.required
    assert {*found.required, *found.optional} <= set(oneroster.ENVELOPES)
    assert not set(found.required) & set(found.optional)
    assert looks_like_certificate(found) in (True, False)
    if PLANTED not in json.dumps([given.get(name) for name in _SHOWN_URLS]):
        assert PLANTED not in repr(found).replace(repr(found.scopes), "")


_HOSTS: Final = (
    "sis.example.org", "SIS.Example.org.", "localhost", "127.0.0.1", "[::1]", "[::ffff:169.254.169.254]",
    "[fe80::1%25eth0]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "169.254.169.254.", "sis..org",
    "xn--99999999999", "sïs.example.org", "a" * 64, "sis.example.org\\", "sis.example.org\t", "sis_1.example.org",
    "\uff11\uff12\uff17.0.0.1", "sis\u3002example", "%73is", "", "sis.example.org%2f", "[::1", "-",
)  # fmt: skip
_SCHEMES: Final = ("https://", "https://", "https://", "http://", "HTTPS://", "https:", "https:/", "//", "", "ftp://", "https:\\\\")
_PATHS: Final = (
    "/aeries", "/", "//", "/Login.aspx", "/api/v5/schools", "/ims/oneroster/v1p1/orgs", f"/{PLANTED}.aspx",
    f"/(S({PLANTED}))/Login.aspx", "?a=b", f"?key={PLANTED}", f"#{PLANTED}", "/..", "/%2e%2e", "/\\evil.example", "/;v=1",
    "/" + "a" * 5_000 + ".aspx", "/é", "/token",
)  # fmt: skip


def _url(chance: Chance) -> str:
    user = chance.choice(("", "", "", "", "user@", f"user:{PLANTED}@", "@", "good.example\\@"))
    port = chance.choice(("", "", "", ":443", ":8443", ":0", ":65536", ":x", ":", ":٣"))
    path = "".join(chance.choice(_PATHS) for _ in range(chance.randrange(4)))
    if chance.randrange(2):  # good but for what follows the host
        return "https://sis.example.org" + path
    url = chance.choice(_SCHEMES) + user + chance.choice(_HOSTS) + port + path
    return url if chance.randrange(4) else chance.spoilt(url)


def urls(chance: Chance) -> None:
    """A URL leads to the host that it says, for us and for the HTTP client alike, over https, without credentials in it."""
    raw, allow_http = _url(chance), chance.one_in(4)
    subdirectory, query = chance.randrange(2) > 0, chance.randrange(2) > 0
    root = data_root(raw)
    assert root is None or root.startswith(("https://", "http://"))
    try:
        _leads_where_it_says(exact(raw, query=query, allow_http=allow_http), raw, allow_http=allow_http)
    except ValueError as problem:
        assert PLANTED not in str(problem)  # noqa: PT017 - the message is what is looked at
    try:
        url = normalise(raw, subdirectory=subdirectory, allow_http=allow_http)
    except ValueError as problem:
        assert PLANTED not in str(problem)  # noqa: PT017 - the message is what is looked at
        return
    _leads_where_it_says(url, raw, allow_http=allow_http)
    assert PLANTED not in "".join(url.changes)
    assert normalise(url.url, subdirectory=subdirectory, allow_http=allow_http) == BaseUrl(url.url, url.host, url.port)


def _leads_where_it_says(url: BaseUrl, raw: str, *, allow_http: bool) -> None:
    parts = urlsplit(url.url)
    assert parts.scheme == "https" or (allow_http and parts.scheme == "http" and is_loopback(url.host))
    assert parts.username is None
    assert parts.password is None
    assert (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)) == (url.host.lower(), url.port)
    try:
        sent = httpx.URL(url.url)
    except (httpx.InvalidURL, UnicodeError):
        assert not raw.isprintable() or len(raw) > 60_000  # refused before: a secret holds no such character
        return
    assert sent.raw_host.decode() == url.host.lower()
    assert (sent.port or (443 if sent.scheme == "https" else 80)) == url.port
    assert sent.userinfo == b""


_FORBIDDEN: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/8", "100::/64", "2001::/32", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
#: Not even where private addresses are allowed.
_NEVER: Final = tuple(
    map(ipaddress.ip_network, ("169.254.0.0/16", "0.0.0.0/32", "fd00:ec2::/32", "fe80::/10", "224.0.0.0/4", "ff00::/8"))
)


def _leads_to(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The address and every other that a router, a translator or a tunnel may take it for."""
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [ip]
    if isinstance(ip, ipaddress.IPv6Address):
        raw = ip.packed
        if raw[:12] in (bytes(10) + b"\xff\xff", bytes(12), bytes.fromhex("0064ff9b") + bytes(8)):
            found = [ipaddress.IPv4Address(raw[12:])]  # it is nothing but that
        elif raw[:2] == b"\x20\x02":
            found = [ipaddress.IPv4Address(raw[2:6])]
        elif raw[:4] == b"\x20\x01\x00\x00":
            found += [ipaddress.IPv4Address(raw[4:8]), ipaddress.IPv4Address(bytes(byte ^ 255 for byte in raw[12:]))]
        elif raw[:6] == bytes.fromhex("0064ff9b0001"):
            found.append(ipaddress.IPv4Address(raw[12:]))
    return found


def addresses(chance: Chance) -> None:
    """No address is let through that is, or leads to, one of this machine, of a private network or of a cloud's metadata."""
    four = chance.choice(
        (bytes((169, 254, 169, 254)), bytes((127, 0, 0, 1)), bytes((10, 0, 0, 1)), bytes(4), b"\xff" * 4,
         bytes((100, 100, 100, 200)), bytes((93, 184, 216, 34)), bytes((192, 168, chance.randrange(256), 1)), chance.randbytes(4))
    )  # fmt: skip
    inverted = bytes(byte ^ 255 for byte in four)  # as Teredo writes the address of a client
    six = chance.choice(
        (
            bytes(10) + b"\xff\xff" + four,
            bytes(12) + four,
            bytes.fromhex("0064ff9b") + bytes(8) + four,
            bytes.fromhex("0064ff9b0001") + chance.randbytes(6) + four,
            b"\x20\x02" + four + bytes(10),
            b"\x20\x01\x00\x00" + chance.randbytes(8) + inverted,
            b"\x20\x01\x00\x00" + four + chance.randbytes(8),
            b"\xfe\x80" + chance.randbytes(14),
            b"\xfd\x00\x0e\xc2" + chance.randbytes(12),
            b"\x26\x06" + chance.randbytes(14),
            b"\xff\x02" + chance.randbytes(14),
            bytes(15) + b"\x01",
            chance.randbytes(16),
        )
    )
    ip = chance.choice((ipaddress.IPv4Address(four), ipaddress.IPv6Address(six)))
    address = str(ip) + (chance.choice(("", "", "%eth0", "%1")) if ip.version == 6 else "")
    leads = _leads_to(ip)
    if is_allowed(address, allow_private=False):
        assert not [one for one in leads if any(one in network for network in _FORBIDDEN)]
    if is_allowed(address, allow_private=True):
        assert not [one for one in leads if any(one in network for network in _NEVER)]
    elif is_allowed(address, allow_private=False):
        raise AssertionError("allowed only where private addresses are not")
    for odd in (chance.spoilt(address), chance.text(), str(int(ip))):
        if is_allowed(odd, allow_private=False):
            assert ipaddress.ip_address(odd.partition("%")[0]).is_global


def messages(chance: Chance) -> None:
    """A message of the queue names a district that there can be, or is none of ours."""
    good = {"district": chance.choice(("springfield", "a/b", PLANTED)), "reason": chance.choice(REASONS)}
    document = chance.changed(good, ("district", "reason", "shape"), (1, 2, "1", True))
    text = chance.as_json(document) if chance.randrange(6) else chance.spoilt(chance.as_json(document))
    try:
        visit = from_message(text)
    except MessageError as error:
        assert PLANTED not in str(error)  # noqa: PT017 - the message is what is looked at
        return
    assert is_district(visit.district)
    assert visit.district == json.loads(text)["district"]
    assert visit.reason in REASONS
    assert from_message(to_message(visit)) == Visit(visit.district, visit.reason)


_HEADER: Final = "district,base_url,consumer_id,consumer_secret,api_certificate"


def files(chance: Chance) -> None:
    """Of a file every row comes out, with what is wrong with it; a row without mistakes is a secret that is none."""
    separator = chance.choice(",,,;\t")
    lines = [_HEADER if chance.randrange(4) else chance.spoilt(_HEADER)]
    for number in range(chance.randrange(4)):
        cells = [f"district-{number}", "https://sis.example.org/aeries", "a1" * 32, PLANTED * 4, ""]
        if chance.randrange(2):
            cells[chance.randrange(5)] = chance.text()
        lines.append(",".join(cells))
    text = chance.choice(("\n", "\r\n", "\r")).join(lines).replace(",", separator)
    text = chance.choice(("", "", "\ufeff")) + (text if chance.randrange(3) else chance.spoilt(text))
    try:
        rows = read_rows(text)
    except ValueError as problem:
        assert PLANTED not in str(problem)  # noqa: PT017 - the message is what is looked at
        return
    names = [row.district for row in rows]
    for row in rows:
        assert PLANTED not in "".join(row.mistakes)
        assert PLANTED not in repr(row).replace(repr(row.district), "")
        if row.mistakes:
            assert row.parsed is None
        else:
            assert isinstance(parse_secret(row.district, row.text), District)
            assert is_district(row.district)
            assert names.count(row.district) == 1
            assert NAME not in json.loads(row.text)
