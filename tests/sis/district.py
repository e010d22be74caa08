"""One school district: its vendor records, its nodes and their tokens, its data, its faults."""

import string
import time
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from tests.sis.admin import Admin, VendorRecord
from tests.sis.dialect import Dialect, Place
from tests.sis.exchange import Answer, Request
from tests.sis.faults import Case, Fault, Faults
from tests.sis.ledger import Ledger
from tests.sis.oneroster import Paging
from tests.sis.school import School
from tests.sis.school_year import Calendar, in_session

if TYPE_CHECKING:
    from tests.sis.host import Host


@dataclass(frozen=True)
class Settings:
    """What differs from district to district without being broken."""

    affinity: bool = True  # two nodes behind a cookie; False: one node
    cookies_required: bool = False  # data needs the session cookie even on the right node
    refused_status: int = 400  # for invalid_client: 400 or 401, no source says which (reference 1.7)
    missing_scope: str = "invalid_scope"  # or invalid_request
    unticked_refuses: str = "token"  # where an unticked OneRoster box is felt: token, or data (403 everywhere)
    errors: str = "status_info_set"  # or message, imsx
    total_count: bool = True  # send X-Total-Count
    largest_page: int = 10_000
    strict_parameters: bool = True
    clock_ahead: float = 0.0  # seconds that the server's clock is ahead of ours: its Date header, and how it judges signatures
    api_root: bool = True  # False: the v5 API is not under this base path (404)

    @property
    def paging(self) -> Paging:
        return Paging(largest=self.largest_page, total_count=self.total_count, strict=self.strict_parameters)

    def changed(self, **changes: object) -> "Settings":
        types = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for name, value in changes.items():
            if name not in types:
                raise ValueError(f"no setting is called {name!r}; there are {', '.join(types)}")
            if type(value) is not types[name]:
                raise ValueError(f"the setting {name} is a {types[name].__name__}, not {value!r}")
        return replace(self, **changes)  # type: ignore[arg-type]  # checked above, field by field


@dataclass(frozen=True)
class Grant:
    """What a token stands for. It keeps the record it was given to, also when that has been deleted since."""

    record: VendorRecord
    scopes: frozenset[str]
    ends: float  # on the district's clock


class Node:
    """One server behind the load balancer. It knows only the tokens it issued itself."""

    def __init__(self, affinity: str) -> None:
        self.affinity = affinity
        self.forget()

    def forget(self) -> None:
        self.tokens: dict[str, Grant] = {}
        self.codes: dict[str, tuple[VendorRecord, float]] = {}
        self.nonces: set[tuple[str, str]] = set()
        self.sessions: frozenset[str] = frozenset()


class District:
    """A district on a host. Give a client `credentials`; break it through `admin` and `fail`."""

    def __init__(self, name: str, dialect: Dialect, school: School, ledger: Ledger, base_path: str | None = None) -> None:
        self.name = name
        self.base_path = f"/{name}" if base_path is None else base_path
        self.dialect = dialect
        self.school = school
        self.ledger = ledger
        self.settings = Settings()
        self.calendar: Calendar = in_session(datetime.now(UTC).date())
        self.past_years: tuple[str, ...] = (f"{self.calendar.year - 1}-{self.calendar.year}",)
        self.records: tuple[VendorRecord, ...] = ()
        self.oneroster_option = self.oneroster_enabled = True
        self.aged = 0.0
        self.faults = Faults()
        self._random = Random(f"{school.seed}/{name}/credentials")
        self.nodes = (Node(self.hexadecimal(64)), Node(self.hexadecimal(64)))
        self._turn = 0
        self.origin = ""  # https://name:port, once its host listens
        self.decoy_origin = ""  # another host, for redirects that lead astray
        self.host: Host | None = None
        self.admin = Admin(self)
        self.admin.create_record()

    @property
    def record(self) -> VendorRecord:
        """The newest vendor record."""
        if not self.records:
            raise LookupError(f"{self.name} has no vendor record: it was deleted")
        return self.records[-1]

    @property
    def base_url(self) -> str:
        return f"{self.origin}{self.base_path}"

    @property
    def credentials(self) -> dict[str, Any]:
        """What the administrator hands over: base_url, consumer_id, consumer_secret, api_certificate, or what the product has."""
        return self.dialect.credentials(self)

    def fail(self, fault: Fault | str, /, **parameters: object) -> Fault:
        """Break something, by a fault or by its name and parameters. Faults of the wire fall upon the whole host."""
        if isinstance(fault, str):
            fault = Fault.named(fault, **parameters)  # type: ignore[arg-type]  # checked by name
        if self.host is None:
            raise RuntimeError(f"{self.name} is on no running host")
        if fault.level == "host":
            self.host.fail(fault)
        else:
            self.faults.add(fault)
            if fault.level == "wire":
                self.host.refresh()
        return fault

    def heal(self) -> None:
        """Take every fault of this district away, and its host's."""
        listening_anew = self.faults.on_the_wire or (self.host is not None and self.host.fault is not None)
        self.faults.clear()
        if self.host is not None and listening_anew:
            self.host.heal()

    def clock(self) -> float:
        """Seconds, for the ages of tokens."""
        return time.monotonic() + self.aged

    def hexadecimal(self, length: int) -> str:
        return self._random.randbytes(length // 2).hex()

    def new_session(self) -> str:
        """An ASP.NET session id: 24 letters and digits (reference 1.3)."""
        session = "".join(self._random.choices(string.ascii_lowercase + "012345", k=24))
        self.ledger.watch(f"{self.name}.session", session)
        return session

    def grant(self, node: Node, record: VendorRecord, scopes: frozenset[str], seconds: float) -> str:
        """Issue a token on one node: opaque, 32 hexadecimal characters (reference 1.3)."""
        token = self.hexadecimal(32)
        self.ledger.watch(f"{self.name}.token", token)
        node.tokens[token] = Grant(record, scopes, self.clock() + seconds)
        return token

    def node_for(self, request: Request) -> Node:
        """The node its cookies name, or else the next in turn."""
        if not self.settings.affinity:
            return self.nodes[0]
        cookies = request.cookies
        for node in self.nodes:
            if cookies.get("ARRAffinity") == node.affinity or cookies.get("ASP.NET_SessionId") in node.sessions:
                return node
        self._turn += 1
        return self.nodes[self._turn % len(self.nodes)]

    def place(self, request: Request) -> Place:
        return self.dialect.place(request.path.removeprefix(self.base_path))

    def answer(self, request: Request) -> Answer:
        """Answer a request, faults included."""
        return self.faults.answer(Case(request, self.place(request), self))
