"""A server that hands everything back: what it was sent, what it gave out, and whose data it holds, wherever an answer has room.

Each of the places is a kind of fault; `form` says how the values are written there.
"""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

from tests.sis.exchange import JSON_TYPE, Answer, Headers, html_answer
from tests.sis.faults import Case, kind
from tests.sis.ledger import carried

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url_encoded": lambda text: "".join(f"%{ord(character):02X}" for character in text),
    "html_escaped": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "json_escaped": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "swapped_case": str.swapcase,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "split": lambda text: f"{text[:11]}\n{text[11:]}",
    "backwards": lambda text: text[::-1],
}


def values(case: Case) -> list[str]:
    """Everything that must not be repeated: the pair, the certificate, tokens and sessions, a pupil, and all that was sent."""
    district, request = case.district, case.request
    known: list[str] = []
    for record in district.records:
        pair = f"{record.consumer_id}:{record.consumer_secret}"
        known += [record.consumer_id, record.consumer_secret, record.certificate, base64.b64encode(pair.encode()).decode()]
    for node in district.nodes:
        known += [*list(node.tokens)[-1:], *node.sessions, node.affinity]
    pupil = next(iter(district.school.collection("students", district.calendar)), {})
    known += [
        str(pupil[name]) for name in ("givenName", "familyName", "email", "phone", "sourcedId", "identifier") if name in pupil
    ]
    return known + [line for text in carried(request) for line in text.splitlines()]


def _written(case: Case, form: str) -> list[str]:
    return [FORMS[form](value) for value in values(case)]


@kind("replace")
def echo_in_errors(case: Case, *, form: str = "plain", status: int = 400) -> Answer:
    """An error body of every dialect at once, each member of which is one of the values."""
    said = _written(case, form)
    secret, everything = said[1], "\n".join(said)
    body = {
        "error": secret, "error_description": everything, "error_uri": f"https://{said[0]}/?{secret}", "Message": everything,
        "imsx_codeMajor": secret, "imsx_CodeMinor": {secret: [{"imsx_codeMinorFieldValue": secret, secret: secret}]},
        "type": secret, "title": everything, "status": secret, secret: everything,
    }  # fmt: skip
    return Answer(status, (("Content-Type", JSON_TYPE),), json.dumps(body).encode())


@kind("replace")
def echo_in_a_page(case: Case, *, form: str = "plain", status: int = 500) -> Answer:
    """A page of HTML whose title, headings, form and text are the values."""
    said = [html.escape(one) for one in _written(case, form)]
    inputs = "".join(f'<input type="hidden" name="{one}" value="{one}">' for one in said)
    page = f"<title>{said[1]}</title><h1>{'</h1><h1>'.join(said)}</h1><form action='/{said[1]}'>{inputs}</form>"
    return html_answer(status, f"<!doctype html><html><head>{page}</html>")


@kind("replace")
def echo_in_a_redirect(case: Case, *, form: str = "plain", status: int = 302) -> Answer:
    """A redirect to a host, a path and a query that are made of the values; `Login` in it, so that it is looked at."""
    said = _written(case, form)
    token = next((list(node.tokens)[-1] for node in case.district.nodes if node.tokens), "0" * 32)
    label = _header(FORMS[form](token))[:60].strip("-").replace("%", "") or "none"
    there = f"https://{label}.example.net/{_header(said[1])}/Login?{quote(''.join(said[:6]))}#{_header(said[2])}"
    return html_answer(status, f"<a href='{html.escape(there)}'>moved</a>", ("Location", there))


@kind("replace")
def echo_in_headers(case: Case, *, form: str = "plain", status: int = 401) -> Answer:
    """Every header that a client might look at, made of the values."""
    said = [_header(one) for one in _written(case, form)]
    secret = said[1]
    headers: Headers = (
        ("Content-Type", f"text/{secret[:64]}"), ("X-Total-Count", secret), ("Retry-After", secret), ("ETag", f'"{secret}"'),
        ("WWW-Authenticate", f'{said[2]} realm="{secret}", error="{secret}", Bearer {secret}'), ("Link", f"<{secret}>; rel=next"),
        ("Warning", f'199 - "{secret}"'), *(("X-Debug", one) for one in said[:20]),
    )  # fmt: skip
    return Answer(status, headers, secret.encode())


@kind("replace")
def echo_in_members(case: Case, *, form: str = "plain", status: int = 200) -> Answer:
    """A success whose members, names and values, are the values: a token answer, systeminfo and a list of records in one."""
    said = _written(case, form)
    secret = said[1]
    record = {"sourcedId": said[0], "name": secret, "StartDate": secret, "Terms": [{"StartDate": secret, "EndDate": secret}]}
    body = {
        "token_type": secret, "scope": " ".join(said[:6]), "expires_in": secret, "AeriesVersion": secret, "DatabaseYear": secret,
        "CurrentDateTime": secret, secret: [record], "orgs": [record], "urls": {"oauth": f"https://localhost/{secret}/token"},
    }  # fmt: skip
    return Answer(status, (("Content-Type", JSON_TYPE),), json.dumps(body).encode())


KINDS = (echo_in_errors, echo_in_a_page, echo_in_a_redirect, echo_in_headers, echo_in_members)


def _header(text: str) -> str:
    """As much of a text as a header may hold."""
    return "".join(character if character.isprintable() and character.isascii() else "-" for character in text)[:2000]
