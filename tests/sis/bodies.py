"""Every page and error body a OneRoster address has been seen to give, by name (reference 1.7, 1.9, 3.5 and 5).

`BODIES` maps a name to its content type and text; a fault names one of them.
"""

import json

from tests.sis.exchange import Answer, Headers


def status_info_set(code_minor: str, description: str, major: str = "failure", severity: str = "error") -> object:
    """OneRoster 1.1's error body (reference 3.5)."""
    return {
        "statusInfoSet": [
            {
                "imsx_codeMajor": major,
                "imsx_severity": severity,
                "imsx_messageRefIdentifier": None,
                "imsx_operationRefIdentifier": "0b1c5f6e",
                "imsx_description": description,
                "imsx_codeMinor": code_minor,
            }
        ]
    }


def imsx(code_minor: str, description: str) -> object:
    """OneRoster 1.2's error body: imsx_StatusInfo's members at the root (reference 3.5)."""
    return {
        "imsx_codeMajor": "failure",
        "imsx_severity": "error",
        "imsx_description": description,
        "imsx_CodeMinor": {
            "imsx_codeMinorField": [{"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": code_minor}]
        },
    }


def _page(title: str, content: str) -> str:
    return (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
        '\n<html xmlns="http://www.w3.org/1999/xhtml">\n'
        f"<head><title>{title}</title></head>\n<body>{content}</body></html>"
    )


LOGIN_PAGE = _page(
    "Aeries: Portals",
    '<form method="post" action="./Login.aspx" id="form1"><h1>Aeries Web Version</h1>'
    '<label>Username <input name="Username_Aeries" type="text"></label>'
    '<label>Password <input name="Password_Aeries" type="password"></label>'
    '<input type="submit" value="Login"></form>',
)
IIS_401 = _page(
    "401 - Unauthorized: Access is denied due to invalid credentials.",
    "<h1>Server Error</h1><h2>401 - Unauthorized: Access is denied due to invalid credentials.</h2>"
    "<h3>You do not have permission to view this directory or page using the credentials that you supplied.</h3>",
)
IIS_404 = _page(
    "404 - File or directory not found.",
    "<h1>Server Error</h1><h2>404 - File or directory not found.</h2>"
    "<h3>The resource you are looking for might have been removed, had its name changed, or is temporarily "
    "unavailable.</h3>",
)
WAF_BLOCK = _page(
    "Request blocked",
    "<h1>403 ERROR</h1><h2>The request could not be satisfied.</h2><hr>Request blocked. Your support ID is: 11846920531170449912",
)
APP_OFFLINE = _page("Site under maintenance", "<h1>Aeries is being updated</h1><p>Please check back in a few minutes.")
HTTP_SYS_503 = (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    "<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD>\r\n<BODY><h2>Service Unavailable</h2>\r\n"
    "<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n</BODY></HTML>"
)
YELLOW_SCREEN = _page(
    "Runtime Error",
    "<span><h1>Server Error in '/aeries' Application.<hr width=100% size=1 color=silver></h1>"
    "<h2><i>Runtime Error</i></h2></span><b>Description: </b>An application error occurred on the server.",
)
ARR_502 = _page(
    "502 - Web server received an invalid response while acting as a gateway or proxy server.",
    "<h1>Server Error</h1><h2>502 - Web server received an invalid response while acting as a gateway or proxy server.</h2>",
)
RATE_LIMIT_PAGE = _page("Too Many Requests", "<h1>429 Too Many Requests</h1><hr>You have sent too many requests.")

_HTML, _JSON, _TEXT = "text/html; charset=utf-8", "application/json; charset=utf-8", "text/plain; charset=utf-8"

BODIES: dict[str, tuple[str, str]] = {
    "empty": ("", ""),
    "login_page": (_HTML, LOGIN_PAGE),
    "iis_401": (_HTML, IIS_401),
    "iis_404": (_HTML, IIS_404),
    "waf_block": (_HTML, WAF_BLOCK),
    "app_offline": (_HTML, APP_OFFLINE),
    "http_sys_503": (_HTML, HTTP_SYS_503),
    "yellow_screen": (_HTML, YELLOW_SCREEN),
    "arr_502": (_HTML, ARR_502),
    "rate_limit_page": (_HTML, RATE_LIMIT_PAGE),
    "text": (_TEXT, "No Campus Application selected"),
    "rfc6749": (_JSON, json.dumps({"error": "server_error", "error_description": "The server cannot answer."})),
    "status_info_set": (_JSON, json.dumps(status_info_set("forbidden", "The request is not permitted."))),
    "status_info_set_bare": (  # Go and .NET servers drop the prefix (reference 3.5)
        _JSON,
        json.dumps({"statusInfoSet": [{"codeMajor": "failure", "severity": "error", "codeMinor": "forbidden"}]}),
    ),
    "imsx": (_JSON, json.dumps(imsx("forbidden", "The request is not permitted."))),
    "imsx_wrapped": (_JSON, json.dumps({"imsx_StatusInfo": imsx("internal_server_error", "An error.")})),
    "message": (_JSON, json.dumps({"Message": "An error has occurred."})),
    "problem": (
        "application/problem+json",
        json.dumps({"type": "about:blank", "title": "Service unavailable", "detail": "Try later."}),
    ),
    "json_error": (_JSON, json.dumps({"error": "The system is down for maintenance."})),
}


def answer(status: int, body: str, *headers: tuple[str, str]) -> Answer:
    """The answer with one of `BODIES`."""
    content_type, text = BODIES[body]
    kind: Headers = (("Content-Type", content_type),) if content_type else ()
    return Answer(status, kind + headers, text.encode())
