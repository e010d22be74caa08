"""What the server itself saw: every request line with its header names, and how many at one time.

No header value is kept, except User-Agent. Known secrets are searched for in every request, so that a test can say
where each of them went: `Seen.secrets` names them (`springfield.consumer_secret`), `Seen.secrets_in_url` those in the
URL.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from urllib.parse import unquote_plus

from tests.sis.exchange import Request

# Secrets are hexadecimal or alphanumeric (reference 1.3), so a whole run of such characters is looked up at once:
# a search for each of thousands of secrets in each request would be the slowest part of the server.
_RUN = re.compile(r"[0-9A-Za-z]{16,}")


@dataclass(frozen=True)
class Seen:
    """One request. `at_once` is how many its host was serving when it came, itself included."""

    host: str
    district: str | None
    phase: str  # token, data, systeminfo, certificate, other
    collection: str | None
    method: str
    target: str  # known secrets in it are replaced by their names
    http_version: str
    connection: str
    tls: bool
    header_names: tuple[str, ...]
    cookie_names: tuple[str, ...]
    user_agent: str | None
    secrets: frozenset[str]
    secrets_in_url: frozenset[str]
    at_once: int

    @property
    def line(self) -> str:
        return f"{self.method} {self.target} HTTP/{self.http_version}"


class Ledger:
    """Shared by all hosts of one simulated SIS. Written by its thread, read by any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Forget what was seen, not which secrets to look for."""
        with self._lock:
            self._seen: list[Seen] = []
            self._connections: Counter[str] = Counter()
            self._at_once: Counter[str] = Counter()
            self._statuses: Counter[tuple[str | None, int]] = Counter()

    def watch(self, name: str, secret: str) -> None:
        """Look for a secret from now on."""
        if not _RUN.fullmatch(secret):
            raise ValueError(f"{name} would not be found: a watched secret is 16 or more letters and digits")
        with self._lock:
            self._names[secret] = name

    @property
    def watched(self) -> dict[str, list[str]]:
        """Every secret ever issued, by its name: what a leak test searches the outputs for."""
        found: dict[str, list[str]] = {}
        with self._lock:
            for secret, name in self._names.items():
                found.setdefault(name, []).append(secret)
        return found

    def connected(self, host: str) -> None:
        with self._lock:
            self._connections[host] += 1

    @contextmanager
    def serving(self, host: str, district: str | None, phase: str, collection: str | None,
                request: Request) -> Iterator[None]:  # fmt: skip
        """Note a request for as long as it takes to answer it, the last byte of the body included."""
        target = unquote_plus(request.target)
        in_url = self._found(target)
        everywhere = in_url | self._found("\n".join(carried(request)))
        shown = _RUN.sub(lambda run: f"<{self._names[run[0]]}>" if run[0] in self._names else run[0], request.target)
        with self._lock:
            self._at_once[host] += 1
            self._seen.append(
                Seen(
                    host, district, phase, collection, request.method, shown, request.http_version, request.connection,
                    request.tls, tuple(name for name, _ in request.headers), tuple(request.cookies),
                    request.header("user-agent"), everywhere, in_url, self._at_once[host],
                )
            )  # fmt: skip
        try:
            yield
        finally:
            with self._lock:
                self._at_once[host] -= 1

    def answered(self, district: str | None, status: int) -> None:
        with self._lock:
            self._statuses[district, status] += 1

    def _found(self, text: str) -> frozenset[str]:
        return frozenset(self._names[run] for run in _RUN.findall(text) if run in self._names)

    def requests(self, district: str | None = None, host: str | None = None, phase: str | None = None) -> list[Seen]:
        with self._lock:
            seen = list(self._seen)
        return [
            one for one in seen
            if district in (None, one.district) and host in (None, one.host) and phase in (None, one.phase)
        ]  # fmt: skip

    def paths(self, district: str | None = None) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(one.target.partition("?")[0] for one in self.requests(district))

    def connections(self, host: str) -> int:
        """How many TLS (or plain) connections were opened to a host; a failed handshake is none."""
        return self._connections[host]

    def statuses(self, district: str) -> dict[int, int]:
        with self._lock:
            return {status: count for (name, status), count in self._statuses.items() if name == district}

    def serving_now(self, host: str) -> int:
        """Requests whose answer is still on its way."""
        with self._lock:
            return self._at_once[host]

    def most_at_once(self, host: str) -> int:
        return max((one.at_once for one in self.requests(host=host)), default=0)

    @property
    def credentials_in_urls(self) -> list[Seen]:
        """Requests that carried a secret where every proxy logs it."""
        return [one for one in self.requests() if one.secrets_in_url]

    def strayed(self, owners: dict[str, str]) -> list[Seen]:
        """Requests that carried a district's secret to a host not its own, or in the clear.

        `owners` maps a district's name to its host.
        """
        return [
            one for one in self.requests()
            if one.secrets and (not one.tls or any(owners.get(name.split(".")[0]) != one.host for name in one.secrets))
        ]  # fmt: skip


def carried(request: Request) -> Iterator[str]:
    """Everything a secret could hide in, the inside of a Basic header too."""
    for _, value in request.headers:
        yield value
        for word in value.split():
            try:
                yield base64.b64decode(word, validate=True).decode("latin-1")
            except (binascii.Error, ValueError):
                continue
    yield unquote_plus(request.body.decode("latin-1"))
