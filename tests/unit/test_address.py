from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.address import is_loopback, looks_like_a_value, normalise


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("https://sis.example.org/aeries", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/", "https://sis.example.org/aeries"),
        ("https://sis.example.org", "https://sis.example.org"),
        ("HTTPS://SIS.Example.ORG./Aeries", "https://sis.example.org/Aeries"),
        ("https://sis.example.org:443/aeries", "https://sis.example.org/aeries"),
        ("https://sis.example.org:8443/aeries", "https://sis.example.org:8443/aeries"),
        ("https://sis.example.org/aeries/Login.aspx", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/Login.aspx?page=default.aspx", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/old.asp/new.aspx", "https://sis.example.org/aeries"),
        ("https://sis.example.org/old.asp/new", "https://sis.example.org"),
        ("https://sis.example.org/aeries/student/home", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/ims/oneroster/v1p1/orgs?limit=1", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries//IMS//OneRoster", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/api/v5/schools", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/token", "https://sis.example.org/aeries"),
        ("https://sis.example.org/aeries/v2/oauth/token", "https://sis.example.org/aeries"),
        ("https://sis.example.org/tokens", "https://sis.example.org/tokens"),
        ("https://[2001:db8::1]:8443/aeries", "https://[2001:db8::1]:8443/aeries"),
    ],
)
def test_what_administrators_paste_becomes_the_base_url(pasted: str, meant: str) -> None:
    assert normalise(pasted, subdirectory=True).url == meant


def test_a_product_without_one_sub_directory_keeps_its_deeper_path() -> None:
    assert normalise("https://sis.example.org/a/b", subdirectory=False).url == "https://sis.example.org/a/b"


def test_every_change_is_reported_and_nothing_is_reported_without_a_change() -> None:
    assert normalise("https://sis.example.org/aeries/", subdirectory=True).changes == ()
    changes = normalise("https://sis.example.org/aeries/admin/Login.aspx?user=1", subdirectory=True).changes
    assert changes == (
        "dropped the page 'Login.aspx'",
        "dropped 'admin': the base URL ends after its first folder",
        "dropped everything after the path",
    )


def test_the_query_is_dropped_without_being_shown() -> None:
    base = normalise("https://sis.example.org/aeries?token=k3y#k4y", subdirectory=True)
    assert "k3y" not in repr(base)
    assert "k4y" not in repr(base)


def test_a_session_in_the_path_of_a_pasted_page_is_dropped_without_being_shown() -> None:
    for path in (
        "(S(lit3py55t21z5v55vlm25s55))/Login.aspx",
        "Login;jsessionid=1A530637289A03B07199A44E8D531427.aspx",
        "token/" + "0a" * 16,
    ):
        base = normalise(f"https://sis.example.org/aeries/{path}", subdirectory=True)
        assert base.url == "https://sis.example.org/aeries"
        assert base.changes
        assert not any(value in repr(base) for value in ("lit3py55", "1A530637", "0a0a"))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a" * 1_000_000, False),
        ("a" * 999_999 + "7", True),
        ("-".join(["a1b2c3d4"] * 100), False),
        ("abcdefghijklmno7", True),
        ("abcdefghijklmn7", False),
        ("x.7" + "a" * 15, True),
    ],
    ids=["a long word", "a long word and a digit", "short runs", "16 characters", "15 characters", "a digit first"],
)
def test_what_looks_like_a_key_is_found_without_taking_the_square_of_its_length(text: str, is_one: bool) -> None:
    assert looks_like_a_value(text) is is_one


def test_host_and_port_are_those_that_are_connected_to() -> None:
    base = normalise("https://[2001:db8::1]/aeries", subdirectory=True)
    assert (base.host, base.port) == ("2001:db8::1", 443)
    assert normalise("https://sis.example.org:8443", subdirectory=True).port == 8443


@pytest.mark.parametrize(
    ("pasted", "fix"),
    [
        ("http://sis.example.org/aeries", "write https://"),
        ("ftp://sis.example.org/aeries", "a scheme other than https"),
        ("sis.example.org/aeries", "does not start with https://"),
        ("", "does not start with https://"),
        ("https://", "no valid host"),
        ("https:///aeries", "no valid host"),
        ("https://./aeries", "no valid host"),
        ("https://user:pass@sis.example.org/aeries", "must not carry a user name or password"),
        ("https://@sis.example.org/aeries", "must not carry a user name or password"),
        ("https://sis.example.org:99999/aeries", "is not a URL"),
        ("https://sis.example.org:0/aeries", "no valid host or port"),
        ("https://[::1/aeries", "is not a URL"),
        ("https://[fe80::1%25eth0]/aeries", "no valid host"),
        ("https://[v1.a:b]/aeries", "no valid host"),
        ("https://999.1.1.1/aeries", "no valid host"),
        ("https://<district>.aeries.net/aeries", "no valid host"),
        ("https://sis..example.org/aeries", "no valid host"),
        ("https://schüle.example.org/aeries", "no valid host"),
        ("https://" + "a" * 64 + ".example.org/aeries", "no valid host"),
    ],
)
def test_a_url_that_cannot_be_visited_is_refused_with_its_fix(pasted: str, fix: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|does|must|starts|plain)") as refused:
        normalise(pasted, subdirectory=True)
    assert fix in str(refused.value)


def test_plain_http_is_for_this_machine_only_and_only_when_allowed() -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        base = normalise(f"http://{host}/aeries", subdirectory=True, allow_http=True)
        assert (base.url, base.port) == (f"http://{host}/aeries", 80)
        with pytest.raises(ValueError, match="credentials only travel over https"):
            normalise(f"http://{host}/aeries", subdirectory=True)
    with pytest.raises(ValueError, match="only allowed for a server on this machine"):
        normalise("http://sis.example.org/aeries", subdirectory=True, allow_http=True)


def test_only_names_and_addresses_of_this_machine_are_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("localhost.example.org", "10.0.0.1", "sis", "")))


_ORIGINS = ["https", "://", "sis.example.org", ":", "8443", "0", "@", "[", "]", "::1", ".", "é", "xn--", "-", " "]
_PATHS = ["/", "//", "..", "aeries", "x.aspx", "ims", "oneroster", "api", "v5", "token", "v2", "oauth", "%", "?", "#", "\\"]
_PARTS = _ORIGINS + _PATHS
urls = st.text() | st.builds("".join, st.lists(st.sampled_from(_PARTS), max_size=14)).flatmap(
    lambda text: st.sampled_from([text, "https://" + text, "https://sis.example.org/" + text])
)


@given(urls, st.booleans(), st.booleans())
def test_normalising_raises_nothing_but_value_errors_and_changes_nothing_the_second_time(
    pasted: str, subdirectory: bool, allow_http: bool
) -> None:
    try:
        once = normalise(pasted, subdirectory=subdirectory, allow_http=allow_http)
    except ValueError:
        return
    again = normalise(once.url, subdirectory=subdirectory, allow_http=allow_http)
    assert (again.url, again.host, again.port, again.changes) == (once.url, once.host, once.port, ())
    assert httpx.URL(once.url).raw_host.decode() == once.host
