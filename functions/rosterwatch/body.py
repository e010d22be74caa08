"""Reads a response body into closed-list facts, and hands the parsed document to the caller, who drops it.

Content decides, not the Content-Type: servers send JSON as text/plain, and login pages as 200. Error codes are kept only if
they are members of the lists below, so that a body that echoes a secret or a name can never get further than this module.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final

from rosterwatch.observation import Body, BodyKind, Dialect, Page

#: RFC 6749 section 5.2, plus the two of RFC 6750 that servers also use at the token URL.
OAUTH_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
        "invalid_token",
        "insufficient_scope",
        "server_error",
        "temporarily_unavailable",
    }
)

#: ``imsx_codeMinor`` values of OneRoster 1.1 and 1.2, blanks as underscores (reference section 3.5).
IMSX_CODES: Final = frozenset(
    {
        "full_success",
        "fullsuccess",
        "invalid_data",
        "invaliddata",
        "invalid_filter_field",
        "invalid_selection_field",
        "invalid_sort_field",
        "invalid_blank_selection_field",
        "unauthorized",
        "unauthorisedrequest",
        "forbidden",
        "unknown_object",
        "unknownobject",
        "server_busy",
        "internal_server_error",
        "unsupported",
        "deletefailure",
    }
)

# What tells the pages apart, in this order. A word counts only where a page says what it is (its title and main headings, or all
# that can be read on it if that is little): a menu with "Log in", a notice of next week's maintenance or a department of that
# name is on many a page that is about something else.
_LOGIN_FIELD: Final = re.compile(
    r"""input\s(?:.*\s)?(?:type=["']?password|name=["']?(?:samlrequest|samlresponse|wresult)\b)""", re.DOTALL
)
_PAGE_WORDS: Final = (
    (Page.OFFLINE, r"app_offline|\bmaintenance\b|(?<!or is )temporarily unavailable|service unavailable|being updated|\bbe back\b"),
    (Page.BLOCKED, (r"request blocked|request rejected|access denied|web application firewall|attention required|just a moment|"
                   r"incident id|support id|captcha|not acceptable|forbidden by")),
    (Page.CRASH, r"server error in|runtime error|stack trace|unhandled exception|internal server error"),
)  # fmt: skip
_LOGIN_TITLE: Final = r"\b(?:sign|log)[ -]?[io]n\b|single sign-on"
_PAGE_CHARACTERS: Final = 20_000
_SHORT_PAGE_CHARACTERS: Final = 400
# What was read is never given back (the possessive ``*+``): a stranger's thousand comments would else be tried in every grouping.
_LOOKS_LIKE_HTML: Final = re.compile(
    r"\s*+(?:<!--.*?-->\s*+)*+<(?:!doctype html|html|head|body|title|h1|form|meta|script)\b", re.IGNORECASE | re.DOTALL
)


def read_body(media_type: str | None, raw: bytes, *, complete: bool = True) -> tuple[Body, Any]:
    """Reduce a body to facts; return them with the parsed JSON document, ``None`` unless it is JSON.

    ``complete`` is false when the connection ended before the announced length. Never raises, whatever the bytes are.
    """
    encoding = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = raw.decode(encoding, errors="replace").strip("\x00 \t\r\n")
    if not text:
        return Body(BodyKind.NONE if complete else BodyKind.TRUNCATED, len(raw)), None
    document, broken = _parse(text)
    if broken or not complete:
        if text[0] in "{[":
            return Body(BodyKind.TRUNCATED, len(raw)), None
        is_html = media_type in ("text/html", "application/xhtml+xml") or _LOOKS_LIKE_HTML.match(text) is not None
        return Body(BodyKind.HTML if is_html else BodyKind.TEXT, len(raw), page=_page(text)), None
    if isinstance(document, dict):
        dialect, code = _dialect(document)
        return Body(BodyKind.OBJECT, len(raw), dialect, code), document
    return Body(BodyKind.ARRAY if isinstance(document, list) else BodyKind.SCALAR, len(raw)), document


def _parse(text: str) -> tuple[Any, bool]:
    """The JSON document and whether parsing failed. Nesting too deep for the parser counts as a failure."""
    try:
        return json.loads(text), False
    except (ValueError, RecursionError):  # deep nesting raises RecursionError, which is no ValueError
        return None, True


def _page(text: str) -> Page:
    """What a page says it is. One pass over its tags, no backtracking: a stranger has written it."""
    first, *pieces = text[:_PAGE_CHARACTERS].lower().split("<")
    shown, headings, title = [first], [], ""
    inside = ""
    for piece in pieces:
        tag, _, words = piece.partition(">")
        name = tag.split(maxsplit=1)[0] if tag.strip() else ""
        if _LOGIN_FIELD.match(tag):
            return Page.LOGIN
        if name in ("title", "h1", "h2", "script", "style"):
            inside = name
        elif name == f"/{inside}":
            inside = ""
        title += words if inside == "title" else ""
        headings += [words] if inside in ("title", "h1", "h2") else []
        shown += [words] if inside not in ("script", "style") else []
    everything = " ".join(" ".join(shown).split())
    says = everything if len(everything) <= _SHORT_PAGE_CHARACTERS else " ".join(headings)
    for page, telling in _PAGE_WORDS:
        if re.search(telling, says):
            return page
    return Page.LOGIN if re.search(_LOGIN_TITLE, title) else Page.OTHER


def _dialect(document: dict[str, Any]) -> tuple[Dialect | None, str | None]:  # noqa: PLR0911 - a dialect a return
    """The error dialect of a JSON object and its code, if the code is one we know. ``(None, None)``: not an error body."""
    status_info = document.get("statusInfoSet")
    if isinstance(status_info, list):
        entry = status_info[0] if status_info and isinstance(status_info[0], dict) else {}
        return Dialect.STATUS_INFO_SET, _known(_minor(entry), IMSX_CODES)
    wrapped = document.get("imsx_StatusInfo")
    bare = wrapped if isinstance(wrapped, dict) else document
    if any(str(member).startswith("imsx_code") for member in bare):
        return Dialect.IMSX, _known(_minor(bare), IMSX_CODES)
    error = document.get("error")
    if isinstance(error, str):
        code = _known(error, OAUTH_ERRORS)
        return (Dialect.OAUTH if code else Dialect.ERROR), code
    if error is not None or "errors" in document:
        return Dialect.ERROR, None
    if "type" in document and "title" in document and "status" in document:
        return Dialect.PROBLEM, None
    if isinstance(document.get("Message", document.get("message")), str) and len(document) <= 4:
        return Dialect.MESSAGE, None
    return None, None


def _minor(entry: dict[str, Any]) -> object:
    """``imsx_codeMinor`` in its spellings: string, 1.2's nested object, other capitalisation, without the prefix."""
    by_name = {str(name).lower().removeprefix("imsx_"): value for name, value in entry.items()}
    minor = by_name.get("codeminor")
    if isinstance(minor, dict):
        fields = next(iter(minor.values()), None)
        first = fields[0] if isinstance(fields, list) and fields else None
        if isinstance(first, dict):
            return next((v for n, v in first.items() if str(n).lower().endswith("fieldvalue")), None)
    return minor


def _known(code: object, allowed: frozenset[str]) -> str | None:
    if not isinstance(code, str):
        return None
    spelled = code.strip().lower().replace(" ", "_")
    return spelled if spelled in allowed else None
