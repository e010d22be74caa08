"""What a visit saw, in words an on-call engineer can check. Made of closed lists and numbers only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rosterwatch.observation import BodyKind, Exchange, Fault, Observation, Phase

_FAULT_WORDS: Final = {
    Fault.DNS_NOT_FOUND: "the host name does not exist in DNS",
    Fault.DNS_FAILING: "the name servers gave no answer",
    Fault.ADDRESS_NOT_ALLOWED: "the host has no address that may be visited",
    Fault.CONNECT_REFUSED: "the connection was refused",
    Fault.CONNECT_TIMEOUT: "no connection",
    Fault.NO_ROUTE: "no route to the host",
    Fault.RESET: "the connection was cut",
    Fault.TLS_EXPIRED: "the TLS certificate has expired",
    Fault.TLS_NOT_YET_VALID: "the TLS certificate is not valid yet",
    Fault.TLS_SELF_SIGNED: "the TLS certificate is self-signed or from a private authority",
    Fault.TLS_INCOMPLETE_CHAIN: "the TLS chain is incomplete",
    Fault.TLS_WRONG_NAME: "the TLS certificate is for another name",
    Fault.TLS_TOO_OLD: "no common TLS version or cipher",
    Fault.TLS_NOT_SPOKEN: "the port does not speak TLS",
    Fault.TLS_FAILED: "the TLS handshake failed",
    Fault.READ_TIMEOUT: "no complete answer",
    Fault.PROTOCOL: "the answer is not HTTP",
    Fault.DEADLINE: "the answer was not complete when the visit's time was up",
}
_KIND_WORDS: Final = {
    BodyKind.NONE: "an empty body",
    BodyKind.OBJECT: "JSON",
    BodyKind.ARRAY: "a JSON list",
    BodyKind.SCALAR: "a JSON value",
    BodyKind.HTML: "an HTML page",
    BodyKind.TEXT: "text",
    BodyKind.TRUNCATED: "a body that breaks off",
    BodyKind.OVERSIZE: "a body over the limit of 1 MiB",
    BodyKind.ENCODED: "a compressed body",
}
_TIME_TAKEN: Final = re.compile(r", after \d+ ms$")
_MANY_ALIKE: Final = 4
_METHODS: Final = {Phase.TOKEN: "POST"}


def sentence(exchange: Exchange) -> str:
    """One exchange in one line, such as ``POST /token: 400 invalid_client, JSON, after 120 ms``."""
    name = f"{_METHODS.get(exchange.phase, 'GET')} {exchange.target}"
    if exchange.fault is not None:
        waited = f", after {exchange.milliseconds} ms" if exchange.milliseconds else ""
        return f"{name}: {_FAULT_WORDS[exchange.fault]}{waited}"
    words = [f"{exchange.status}" + (f" {exchange.body.code}" if exchange.body.code else "")]
    words.append(_KIND_WORDS[exchange.body.kind] + (f" ({exchange.body.page})" if exchange.body.page else ""))
    if exchange.redirect is not None:
        words.append(f"redirecting to {exchange.redirect.host or 'an unreadable address'}")
    if exchange.challenges:
        words.append("asking for " + "/".join(sorted(exchange.challenges)))
    if exchange.retry_after is not None:
        words.append(f"to be retried after {exchange.retry_after:.0f} s")
    words.append(f"after {exchange.milliseconds} ms")
    return f"{name}: {', '.join(words)}"


def alike(lines: Sequence[str]) -> list[str]:
    """The lines, with those that say the same of many targets told once: ``GET /orgs: 403, JSON, after 6 ms; 9 more alike``."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(_TIME_TAKEN.sub("", line.partition(": ")[2]), []).append(line)
    told: list[str] = []
    for group in groups.values():
        told += group if len(group) < _MANY_ALIKE else [f"{group[0]}; {len(group) - 1} more alike"]
    return told


def site(observation: Observation) -> str | None:
    """What the site said to a request without credentials: systeminfo, or else the refusal of a collection."""
    exchange, system = observation.systeminfo or observation.site, observation.system
    if exchange is None:
        return None
    if system is None or system.version is None:
        return f"{sentence(exchange)} (asked without credentials)"
    year = f", school year {system.database_year}" if system.database_year else ""
    return f"The site is up: systeminfo answers (version {system.version}{year})"
