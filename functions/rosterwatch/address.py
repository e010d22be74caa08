"""The base URL as administrators paste it, turned into the one the visit uses; every change is reported, none is silent."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_PAGE_ENDINGS = (".aspx", ".asp", ".html", ".htm", ".php", ".jsp", ".ashx")
# Where the API's own paths begin below the base URL: OneRoster data, Aeries' other API, and the token paths.
_API_PATH = re.compile(r"/(?:ims/oneroster|api/v\d+|v\d/oauth|oauth2?|token)(?:/.*)?$", re.IGNORECASE)
# The same where the product's root may lie anywhere: only what the specification itself names.
_SPECIFIED_PATH = re.compile(r"/ims/oneroster(?:/.*)?$", re.IGNORECASE)
_DATA_ROOT = re.compile(r".*?/v\d+p\d+(?=/|$)", re.IGNORECASE)

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NUMBERS = re.compile(r"[0-9.]+")
# What may be a token, a key or a session: no word, and longer than the numbers in the names of hosts and pages. Each run is looked
# at from its beginning only, so that a long one does not take the square of its length.
_VALUE = re.compile(r"(?<![0-9A-Za-z])(?=[A-Za-z]*+[0-9])[0-9A-Za-z]{16,}+")
_SECRET_NAMES = re.compile(r"(?:secret|password|client_id|assertion|token)=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A normalised base URL without a trailing slash, its host and port, and what was changed, in words."""

    url: str
    host: str
    port: int
    changes: tuple[str, ...] = ()


def normalise(raw: str, *, subdirectory: bool, allow_http: bool = False) -> BaseUrl:
    """Turn what was pasted (bare root, login page, data URL) into the base URL (reference section 1.2).

    ``subdirectory``: the product's root is exactly one folder below the host, so that anything deeper is a page of it.
    ``allow_http`` admits plain http, for a server on loopback only. Raises ValueError with a sentence that names the fix.
    """
    parts, start, host, port = _parts(raw, allow_http=allow_http)
    path, changes = _base_path(parts.path, subdirectory=subdirectory)
    if parts.query or parts.fragment:
        changes.append("dropped everything after the path")
    return BaseUrl(start + path, host, port, tuple(changes))


def exact(raw: str, *, query: bool, allow_http: bool = False) -> BaseUrl:
    """A URL that is used as it stands, such as a token URL. Only the latter may have a ``query``. Raises ValueError as above."""
    parts, start, host, port = _parts(raw, allow_http=allow_http)
    if parts.fragment or (parts.query and not query):
        raise ValueError("must end with its path; leave out what follows it")
    if query and _SECRET_NAMES.search(parts.query):
        raise ValueError("must not carry credentials in its query; they have fields of their own")
    path = parts.path if query else parts.path.rstrip("/")
    return BaseUrl(start + path + (f"?{parts.query}" if parts.query else ""), host, port)


def data_root(raw: str) -> str | None:
    """The data root, up to its version, if that is what was pasted: ``https://host/ims/oneroster/v1p1/orgs`` and the like."""
    try:
        parts, start, _, _ = _parts(raw, allow_http=True)
    except ValueError:
        return None
    path = "".join("/" + segment for segment in parts.path.split("/") if segment)
    specified = _SPECIFIED_PATH.search(path)
    root = _DATA_ROOT.match(path, specified.start()) if specified else None
    return start + path[: root.end()] if root else None


def without_query(url: str) -> str:
    """The URL as it may be shown."""
    return url.partition("?")[0]


def looks_like_a_value(text: str) -> bool:
    """Whether there is a run of letters and digits in it that must not be shown: it may be a token, a key or a session."""
    return _VALUE.search(text) is not None


def without_values(text: str) -> str:
    """The text with such runs left out."""
    return _VALUE.sub("(not shown)", text)


def _shown(part: str) -> str:
    """A part of a URL as it may be shown. ASP.NET and Java write a person's session into the path of a page."""
    return "what looks like a key or a session" if looks_like_a_value(part) else repr(part)


def origin(url: str) -> str:
    """Scheme, host and port of a URL that was normalised here."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs that were normalised here lead to the same scheme, host and port."""
    return origin(one) == origin(other)


def _parts(raw: str, *, allow_http: bool) -> tuple[SplitResult, str, str, int]:
    """What a URL consists of, its origin, host and port; ValueError with the fix unless it may be visited at all."""
    try:
        parts = urlsplit(raw)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL; write it as https://host/folder") from None
    host = (parts.hostname or "").rstrip(".")
    scheme = parts.scheme.lower()
    _require_https(scheme, host, raw, allow_http=allow_http)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or password; write it as https://host/folder")
    if not _is_host(host) or port == 0:
        raise ValueError("has no valid host or port; write it as https://host/folder")
    standard = 443 if scheme == "https" else 80
    shown = f"[{host}]" if ":" in host else host
    start = f"{scheme}://{shown}" + (f":{port}" if port not in (None, standard) else "")
    return parts, start, host, port or standard


def _require_https(scheme: str, host: str, raw: str, *, allow_http: bool) -> None:
    if scheme == "https":
        return
    if scheme == "http":
        if not allow_http:
            raise ValueError(
                "starts with http://; credentials only travel over https, so write https:// (the server must offer it)"
            )
        if not is_loopback(host):
            raise ValueError(
                "plain http is only allowed for a server on this machine (127.0.0.1, ::1 or localhost); write https://"
            )
        return
    if "://" not in raw:
        raise ValueError("does not start with https://; write it as https://host/folder")
    raise ValueError("has a scheme other than https; write it as https://host/folder")


def is_loopback(host: str) -> bool:
    """True for the names and addresses of this machine that need no DNS to be so."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    """Whether a connection can be tried: an IP address, or a name in ASCII (an international one in its ``xn--`` form)."""
    if ":" in host or _NUMBERS.fullmatch(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return "%" not in host  # no zone: it means something on one machine only
    return len(host) < 254 and all(_LABEL.fullmatch(label) for label in host.split("."))


def _base_path(path: str, *, subdirectory: bool) -> tuple[str, list[str]]:
    changes: list[str] = []
    path = "".join("/" + segment for segment in path.split("/") if segment)
    if api_path := (_API_PATH if subdirectory else _SPECIFIED_PATH).search(path):
        changes.append(f"dropped {_shown(api_path.group())}, which is not part of the base URL")
        path = path[: api_path.start()]
    segments = path.split("/")[1:]
    _drop_pages(segments, changes)
    if subdirectory and len(segments) > 1:
        changes.append(f"dropped {_shown('/'.join(segments[1:]))}: the base URL ends after its first folder")
        segments = segments[:1]
        _drop_pages(segments, changes)
    return "".join("/" + segment for segment in segments), changes


def _drop_pages(segments: list[str], changes: list[str]) -> None:
    while segments and segments[-1].lower().endswith(_PAGE_ENDINGS):
        changes.append(f"dropped the page {_shown(segments.pop())}")
