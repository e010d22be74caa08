"""OAuth 1.0a signatures, checked by another implementation than the one that makes them, and by the examples of RFC 5849."""

from __future__ import annotations

import base64
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from authlib.oauth1.rfc5849.client_auth import ClientAuth
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.common import Request
from oauthlib.oauth1.rfc5849 import signature as independent

from rosterwatch.district import Credentials
from rosterwatch.providers import Auth
from rosterwatch.signature import Signer, as_sent

PAIR = Credentials("key-1d", "secret-5e")
VERIFIERS = {Auth.OAUTH1_SHA1: independent.verify_hmac_sha1, Auth.OAUTH1_SHA256: independent.verify_hmac_sha256}
METHODS = {Auth.OAUTH1_SHA1: "HMAC-SHA1", Auth.OAUTH1_SHA256: "HMAC-SHA256"}


def parameters(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    assert scheme == "OAuth"
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', rest)}


def is_good(url: str, auth: Auth, credentials: Credentials = PAIR, header: str | None = None, secret: str | None = None) -> bool:
    """Whether oauthlib believes the signature of a GET of this URL, as a server sees it."""
    header = header or Signer(credentials, auth).headers("GET", url)["Authorization"]
    seen = parameters(header)
    assert seen["oauth_signature_method"] == METHODS[auth]
    assert seen["oauth_consumer_key"] == credentials.consumer_id
    request = Request(as_sent(url), "GET", "", {})
    request.signature = seen.pop("oauth_signature")
    request.params = [*seen.items(), *parse_qsl(urlsplit(as_sent(url)).query, keep_blank_values=True)]
    return bool(VERIFIERS[auth](request, secret or credentials.consumer_secret, ""))


@pytest.mark.parametrize("auth", VERIFIERS)
@pytest.mark.parametrize(
    "url",
    [
        "https://sis.example.org/ims/oneroster/v1p1/orgs",
        "https://sis.example.org/ims/oneroster/v1p1/orgs?limit=1",
        "https://sis.example.org:8443/a%20b/v1p1/orgs?limit=1",
        "https://SIS.example.org/V1p1/orgs?limit=1",
        "http://127.0.0.1:8080/v1p1/orgs?limit=1&offset=0&limit=2",
        "https://[2001:db8::1]:8443/v1p1/orgs?limit=1",
        "https://sis.example.org/v1p1/users?filter=role%3D%27teacher%27 AND status='active'&fields=a,b&empty=",
        "https://sis.example.org/v1p1/users?filter=familyName~'O''Brien & Söhne+1'",
        "https://sis.example.org/schülerdaten/v1p1/orgs?limit=1",
    ],
)
def test_an_independent_verifier_believes_every_signature(url: str, auth: Auth) -> None:
    assert is_good(url, auth)


@pytest.mark.parametrize("auth", VERIFIERS)
def test_an_independent_verifier_believes_no_other(auth: Auth) -> None:
    url = "https://sis.example.org/v1p1/orgs?limit=1"
    header = Signer(PAIR, auth).headers("GET", url)["Authorization"]
    assert is_good(url, auth, header=header)
    assert not is_good(url.replace("limit=1", "limit=2"), auth, header=header)
    assert not is_good(url.replace("https:", "http:"), auth, header=header)
    assert not is_good(url.replace(".org", ".org:8443"), auth, header=header)
    assert not is_good(url, auth, header=header, secret="another")


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), max_size=4), st.sampled_from(list(VERIFIERS)))
def test_whatever_the_query_is_the_signature_is_of_what_is_sent(query: list[tuple[str, str]], auth: Auth) -> None:
    written = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query if name.isprintable())
    assert is_good(f"https://sis.example.org/v1p1/users?{written}", auth)


@pytest.mark.parametrize("secret", ["plain", "p&q=r", "50% off+more", "~-._", "ends with &"])
@pytest.mark.parametrize("auth", VERIFIERS)
def test_secrets_of_any_characters_are_encoded_in_the_key(secret: str, auth: Auth) -> None:
    assert is_good("https://sis.example.org/orgs?limit=1", auth, Credentials("a key/with+more", secret))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9:8080", "[::1]", "[::1]:8080", "localhost", "localhost:8080"])
def test_plain_http_is_signed_wherever_it_may_be_visited(host: str) -> None:
    assert is_good(f"http://{host}/v1p1/orgs?limit=1", Auth.OAUTH1_SHA1)


def test_every_request_has_a_nonce_of_its_own() -> None:
    signer = Signer(PAIR, Auth.OAUTH1_SHA256)
    nonces = {parameters(signer.headers("GET", "https://sis.example.org/orgs")["Authorization"])["oauth_nonce"] for _ in range(50)}
    assert len(nonces) == 50


def test_no_representation_shows_the_pair() -> None:
    assert "1d" not in repr(Signer(PAIR, Auth.OAUTH1_SHA1))
    assert "5e" not in repr(Signer(PAIR, Auth.OAUTH1_SHA1))


# --- RFC 5849 ----------------------------------------------------------------------------------------------------------

#: Section 3.4.1.1: the request and its signature base string.
BASE_STRING = (
    "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26"
    "oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
    "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
)
HEADER = (
    'OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7", '
    'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a", '
    'oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"'
)


@pytest.fixture
def insecure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples are of plain http, which Authlib signs for loopback only."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.mark.usefixtures("insecure")
@pytest.mark.parametrize(("method", "digest"), [("HMAC-SHA1", "sha1"), ("HMAC-SHA256", "sha256")])
def test_the_example_of_rfc_5849_is_signed_over_the_base_string_that_it_prints(method: str, digest: str) -> None:
    client = ClientAuth("9djdj82h48djs9d2", "j49sk3j29djd", "kkk9d7dh3k39sjv7", "dh893hdasih9", signature_method=method)
    headers = {"Authorization": HEADER, "Content-Type": "application/x-www-form-urlencoded"}
    uri = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    made = client.get_oauth_signature("POST", uri, headers, "c2&a3=2+q")
    raw = hmac.new(b"j49sk3j29djd&dh893hdasih9", BASE_STRING.encode(), digest).digest()
    assert made == base64.b64encode(raw).decode()


@pytest.mark.usefixtures("insecure")
def test_the_photograph_of_rfc_5849_has_the_signature_that_it_prints() -> None:
    """Section 1.2: the last request of the introduction."""
    client = ClientAuth("dpf43f3p2l4k3l03", "kd94hf93k423kf44", "nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")
    header = (
        'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", '
        'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH"'
    )
    uri = "http://photos.example.net/photos?file=vacation.jpg&size=original"
    assert client.get_oauth_signature("GET", uri, {"Authorization": header}, "") == "MdpQcU8iPSUjWoN/UDMsK2sui9I="
