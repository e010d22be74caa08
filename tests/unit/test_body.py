from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.body import IMSX_CODES, OAUTH_ERRORS, read_body
from rosterwatch.observation import Body, BodyKind, Dialect, Page


def read(text: str, media_type: str | None = "application/json", *, complete: bool = True) -> Body:
    return read_body(media_type, text.encode(), complete=complete)[0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", BodyKind.NONE),
        (" \r\n\x00", BodyKind.NONE),
        ('{"orgs": []}', BodyKind.OBJECT),
        ("[]", BodyKind.ARRAY),
        ("7", BodyKind.SCALAR),
        ('"x"', BodyKind.SCALAR),
        ("null", BodyKind.SCALAR),
        ('{"orgs": [', BodyKind.TRUNCATED),
        ("[" * 100_000, BodyKind.TRUNCATED),
        ("<!DOCTYPE html><title>x</title>", BodyKind.HTML),
        ("<!-- a comment --> <html>", BodyKind.HTML),
        ("<?xml version='1.0'?><orgs/>", BodyKind.TEXT),
        ("Not found", BodyKind.TEXT),
        ("9" * 5000, BodyKind.TEXT),
    ],
)
def test_the_content_decides_what_a_body_is_whatever_its_type_claims(text: str, kind: BodyKind) -> None:
    for media_type in ("application/json", "text/plain", None):
        assert read(text, media_type).kind is kind


def test_a_page_that_only_its_type_betrays_is_html() -> None:
    assert read("Hello", "text/html").kind is BodyKind.HTML


def test_json_dressed_as_html_is_json() -> None:
    assert read('{"orgs": []}', "text/html").kind is BodyKind.OBJECT


def test_a_byte_order_mark_and_foreign_bytes_do_no_harm() -> None:
    body, document = read_body("application/json", b'\xef\xbb\xbf{"a": 1}')
    assert (body.kind, document) == (BodyKind.OBJECT, {"a": 1})
    assert read_body(None, b"\xff\xfe\x00")[0].kind is BodyKind.TEXT


def test_fewer_bytes_than_announced_are_truncated_even_if_they_parse() -> None:
    assert read('{"orgs": []}', complete=False).kind is BodyKind.TRUNCATED
    assert read("", complete=False).kind is BodyKind.TRUNCATED
    assert read_body(None, b"[1]", complete=False)[1] is None


def test_the_size_is_that_of_the_bytes() -> None:
    assert read('{"é": 1}').size == 9


@pytest.mark.parametrize(
    ("document", "dialect", "code"),
    [
        ({"error": "invalid_client"}, Dialect.OAUTH, "invalid_client"),
        ({"error": " Invalid_Client ", "error_description": "x"}, Dialect.OAUTH, "invalid_client"),
        ({"error": "temporarily_unavailable"}, Dialect.OAUTH, "temporarily_unavailable"),
        ({"error": "consumer 1d1d is unknown"}, Dialect.ERROR, None),
        ({"error": {"code": 7}}, Dialect.ERROR, None),
        ({"errors": []}, Dialect.ERROR, None),
        ({"imsx_codeMajor": "failure", "imsx_codeMinor": "unauthorized"}, Dialect.IMSX, "unauthorized"),
        ({"imsx_StatusInfo": {"imsx_codeMajor": "failure", "imsx_codeMinor": "server_busy"}}, Dialect.IMSX, "server_busy"),
        (
            {
                "imsx_codeMajor": "failure",
                "imsx_CodeMinor": {"imsx_codeMinorField": [{"imsx_codeMinorFieldValue": "unknownobject"}]},
            },
            Dialect.IMSX,
            "unknownobject",
        ),
        ({"imsx_codeMajor": "failure", "imsx_codeMinor": {"imsx_codeMinorField": []}}, Dialect.IMSX, None),
        ({"statusInfoSet": [{"imsx_codeMinor": "Unknown Object"}]}, Dialect.STATUS_INFO_SET, "unknown_object"),
        ({"statusInfoSet": [{"codeMinor": "forbidden"}]}, Dialect.STATUS_INFO_SET, "forbidden"),
        ({"statusInfoSet": []}, Dialect.STATUS_INFO_SET, None),
        ({"statusInfoSet": ["x"], "orgs": []}, Dialect.STATUS_INFO_SET, None),
        ({"Message": "Authorization has been denied for this request."}, Dialect.MESSAGE, None),
        ({"message": "Unauthorized"}, Dialect.MESSAGE, None),
        ({"type": "about:blank", "title": "x", "status": 403}, Dialect.PROBLEM, None),
        ({"orgs": []}, None, None),
        ({"access_token": "x", "error": None}, None, None),
    ],
)
def test_the_error_dialect_and_its_code_are_told_apart(document: Any, dialect: Dialect | None, code: str | None) -> None:
    body, parsed = read_body("application/json", json.dumps(document).encode())
    assert (body.dialect, body.code) == (dialect, code)
    assert parsed == document


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("<html>We are down for maintenance</html>", Page.OFFLINE),
        ("<html>Request blocked. Support ID: 7</html>", Page.BLOCKED),
        ("<html>Server Error in '/aeries' Application.</html>", Page.CRASH),
        ("<html><input type='password'></html>", Page.LOGIN),
        ("<html>Welcome</html>", Page.OTHER),
        ("<html>" + " " * 30_000 + "login", Page.OTHER),
    ],
)
def test_pages_are_told_apart_by_a_few_telling_words(text: str, page: Page) -> None:
    assert read(text, "text/html").page is page


def test_a_page_of_nothing_but_comments_is_read_once_and_not_in_every_grouping() -> None:
    # With a pattern that goes back, forty of them take longer than anybody waits.
    assert read("<!-- -->" * 100_000 + "x", None).kind is BodyKind.TEXT
    assert read("<!-- -->" * 100_000 + "<html>", None).kind is BodyKind.HTML
    assert read("<!-- " * 200_000, None).kind is BodyKind.TEXT


LONG = "<p>" + "The board meets on Tuesday. " * 30 + "</p>"


@pytest.mark.parametrize(
    ("text", "page"),
    [
        (f"<html><title>Springfield USD</title><nav><a href='/login'>Log in</a></nav>{LONG}</html>", Page.OTHER),
        (f"<html><title>Page not found</title><h1>404</h1>{LONG}<a href='/Login.aspx'>Login</a></html>", Page.OTHER),
        (f"<html><title>Facilities</title><h3>Maintenance department</h3>{LONG}</html>", Page.OTHER),
        (f"<html><title>Springfield USD</title>{LONG}<p>Access denied? Ask the office.</p></html>", Page.OTHER),
        ("<html><title>404</title><p>It was removed, renamed, or is temporarily unavailable.</p></html>", Page.OTHER),
        (f"<html><script>var login = 'maintenance'</script><p>Hello</p>{LONG}</html>", Page.OTHER),
        (f"<html><title>Site under maintenance</title>{LONG}</html>", Page.OFFLINE),
        (f"<html><h1>Access Denied</h1>{LONG}</html>", Page.BLOCKED),
        (f"<html><title>Sign in to your account</title>{LONG}</html>", Page.LOGIN),
        (f"<html><form><input name=u><INPUT class=x TYPE=password></form>{LONG}</html>", Page.LOGIN),
        ("<html><title>Maintenance tonight</title><input type='password'></html>", Page.LOGIN),
        ("<html><form method=post><input type='hidden' name='SAMLRequest' value='x'></form></html>", Page.LOGIN),
    ],
)
def test_a_page_is_what_its_title_headings_and_fields_say_and_not_what_it_mentions(text: str, page: Page) -> None:
    assert read(text, "text/html").page is page


def test_json_in_utf_16_is_read_as_well() -> None:
    body, document = read_body("application/json", '{"a": 1}'.encode("utf-16"))
    assert (body.kind, document) == (BodyKind.OBJECT, {"a": 1})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(OAUTH_ERRORS | IMSX_CODES)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text()
            | st.sampled_from(
                [
                    "error",
                    "errors",
                    "statusInfoSet",
                    "imsx_StatusInfo",
                    "imsx_codeMinor",
                    "imsx_codeMajor",
                    "codeMinor",
                    "Message",
                    "type",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
media_types = st.sampled_from([None, "", "application/json", "text/html", "text/plain"])


@given(
    media_types, st.binary() | st.text().map(str.encode) | json_values.map(lambda value: json.dumps(value).encode()), st.booleans()
)
def test_no_bytes_at_all_make_reading_a_body_raise(media_type: str | None, raw: bytes, complete: bool) -> None:
    body, document = read_body(media_type, raw, complete=complete)
    assert body.code is None or body.code in OAUTH_ERRORS | IMSX_CODES
    assert document is None or body.kind in (BodyKind.OBJECT, BodyKind.ARRAY, BodyKind.SCALAR)


secrets = st.text("0123456789", min_size=6).map(lambda digits: f"zq{digits}")
keys = st.sampled_from(
    ["error", "error_description", "Message", "title", "imsx_codeMinor", "imsx_description", "orgs", "familyName"]
)


@given(st.dictionaries(keys | secrets, secrets | st.lists(secrets) | st.dictionaries(keys, secrets)), secrets, st.booleans())
def test_a_body_reduced_to_facts_holds_no_text_of_the_body(document: dict[str, Any], secret: str, complete: bool) -> None:
    for text in (json.dumps(document), f"<html>{secret} login {secret}</html>", secret, json.dumps({"statusInfoSet": [document]})):
        assert "zq" not in repr(read(text, "text/html", complete=complete))
