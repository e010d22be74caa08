"""The controls for another process: a small JSON API on a loopback port of its own, and its client.

Everything is below a path nobody can guess, because the answers hold secrets.

    GET    /districts                          all of them, credentials included
    GET    /districts/NAME
    POST   /districts/NAME/admin/VERB          {"args": [...], "kwargs": {...}}; any method of `admin.Admin`
    POST   /districts/NAME/faults              {"fault": NAME, "phase": ..., parameters}
    DELETE /districts/NAME/faults
    POST   /hosts/N/faults                     a fault of level host
    DELETE /hosts/N/faults
    GET    /requests                           what the server saw, newest last
    GET    /counters                           requests by path and status; connections; most at once
    DELETE /requests                           forget what was seen
    GET    /planted                            every value that must not be found in anything a monitor puts out

Answers are 200 with JSON; what was asked wrongly is 400 with `{"error": sentence}`.
"""

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.sis.admin import Admin
from tests.sis.district import District
from tests.sis.faults import Fault
from tests.sis.ledger import Seen
from tests.sis.school import PLANTED
from tests.sis.server import SimulatedSis

VERBS = frozenset(name for name in vars(Admin) if not name.startswith("_")) - {"use_calendar"}


def describe(district: District) -> dict[str, object]:
    """A district as the control API and the state file show it."""
    host = district.host
    return {
        "name": district.name,
        "host": host.name if host else None,
        "dialect": district.dialect.name,
        "database_year": district.calendar.database_year,
        "base_url": district.base_url,
        **(district.credentials if district.records else {}),
    }


def planted(sis: SimulatedSis) -> dict[str, list[str]]:
    """Marks of people, and every secret, token and session issued so far, by name."""
    return {"people": list(PLANTED), **sis.ledger.watched}


class ControlServer:
    """Serves the control API of a running simulation, from `with` to the end of the block."""

    def __init__(self, sis: SimulatedSis) -> None:
        self._key = secrets.token_urlsafe(16)
        handler = type("Handler", (_Handler,), {"sis": sis, "key": self._key})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{self._key}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    sis: SimulatedSis
    key: str

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(length) or b"{}")
            empty, key, *path = self.path.split("/")
            status, said = 200, self._do(self.command, path if not empty and key == self.key else [], sent)
        except (LookupError, ValueError, TypeError, RuntimeError) as problem:
            status, said = 400, {"error": f"{type(problem).__name__}: {problem}"}
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _do(self, method: str, path: list[str], sent: dict[str, Any]) -> object:  # noqa: C901, PLR0911 - a table
        sis = self.sis
        match (method, *path):
            case "GET", "districts":
                return [describe(district) for district in sis.districts]
            case "GET", "districts", name:
                return describe(sis.district(name))
            case "POST", "districts", name, "admin", verb if verb in VERBS:
                return getattr(sis.district(name).admin, verb)(*sent.get("args", []), **sent.get("kwargs", {}))
            case "POST", "districts", name, "faults":
                return asdict(sis.district(name).fail(Fault.from_json(sent)))
            case "DELETE", "districts", name, "faults":
                sis.district(name).heal()
            case "POST", "hosts", number, "faults":
                sis.hosts[int(number)].fail(Fault.from_json(sent))
            case "DELETE", "hosts", number, "faults":
                sis.hosts[int(number)].heal()
            case "GET", "requests":
                return [_plain(seen) for seen in sis.ledger.requests()]
            case "DELETE", "requests":
                sis.ledger.reset()
            case "GET", "counters":
                return counters(sis)
            case "GET", "planted":
                return planted(sis)
            case _:
                raise LookupError(f"nothing is at {method} /{'/'.join(path)}")
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep quiet: the address holds the key."""


def counters(sis: SimulatedSis) -> dict[str, object]:
    """Numbers only; see the module's text."""
    ledger = sis.ledger
    return {
        "districts": {
            district.name: {
                "paths": dict(ledger.paths(district.name)),
                "statuses": {str(status): count for status, count in ledger.statuses(district.name).items()},
            }
            for district in sis.districts
        },
        "hosts": {
            host.name: {"connections": ledger.connections(host.name), "most_at_once": ledger.most_at_once(host.name)}
            for host in (*sis.hosts, sis.decoy)
        },
        "credentials_in_urls": len(ledger.credentials_in_urls),
        "strayed": len(ledger.strayed(sis.owners)),
        "problems": [repr(problem) for problem in sis.problems],
    }


def _plain(seen: Seen) -> dict[str, object]:
    return asdict(seen) | {"secrets": sorted(seen.secrets), "secrets_in_url": sorted(seen.secrets_in_url)}


class Control:
    """The client, standard library only: `Control(url).admin("springfield", "recreate_record")`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # No proxy of the environment may see it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, sent: object = None) -> Any:
        """One call; ValueError carries the server's sentence."""
        body = None if sent is None else json.dumps(sent).encode()
        request = urllib.request.Request(f"{self._url}{path}", data=body, method=method)  # noqa: S310 - our own URL
        try:
            with self._opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ValueError(json.load(refusal)["error"]) from None

    def admin(self, district: str, verb: str, *args: object, **kwargs: object) -> Any:
        return self.call("POST", f"/districts/{district}/admin/{verb}", {"args": args, "kwargs": kwargs})

    def fail(self, district: str, fault: str, /, **parameters: object) -> Any:
        return self.call("POST", f"/districts/{district}/faults", {"fault": fault, **parameters})

    def heal(self, district: str) -> None:
        self.call("DELETE", f"/districts/{district}/faults")
