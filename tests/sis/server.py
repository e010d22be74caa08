"""The whole simulation: hosts, districts, one ledger, one certificate authority, on a thread of its own."""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from tests.sis.aeries import Aeries
from tests.sis.certificates import Authority
from tests.sis.dialect import Dialect
from tests.sis.district import District
from tests.sis.exchange import Answer, Request, json_answer
from tests.sis.host import Host
from tests.sis.ledger import Ledger
from tests.sis.port import LOOPBACK
from tests.sis.school import School


class Decoy(Host):
    """A host that belongs to nobody and says yes to everything: what is sent there was led astray."""

    def _answer(self, request: Request, district: District | None) -> Answer:
        if request.method == "POST":
            return json_answer(200, {"access_token": "d" * 32, "token_type": "bearer", "expires_in": 21_600})
        return json_answer(200, {"orgs": [{"sourcedId": "decoy", "name": "Decoy", "type": "district"}]})


class SimulatedSis:
    """Districts on hosts, from `with` to the end of the block.

        with SimulatedSis(["springfield", "shelbyville"], hosts=2) as sis:
            springfield = sis.district("springfield")
            visit(springfield.credentials, ca_bundle=sis.ca_file)
            springfield.admin.recreate_record()
            springfield.fail("status", phase="data", collection="orgs", status=503, body="app_offline")

    Districts go round the hosts in turn. `names` are the names its certificates are good for, the first of which stands
    in its URLs; `127.0.0.1` is always one of them. `addresses`, one for each host, are loopback addresses of their own, at
    which the hosts listen and by which they go in their URLs: then a client takes them for different hosts.
    """

    def __init__(
        self,
        districts: Iterable[str] = ("springfield",),
        *,
        hosts: int = 1,
        seed: int = 0,
        students: int = 240,
        names: Iterable[str] = ("localhost",),
        addresses: Sequence[str] = (),
    ) -> None:
        every_name = tuple(dict.fromkeys((*names, "127.0.0.1", "localhost", *addresses)))
        self.ledger = Ledger()
        self.authority = Authority(every_name)
        places = [(address, address) for address in addresses] or [(every_name[0], LOOPBACK)] * hosts
        self.hosts = tuple(
            Host(f"host{number}", name, self.authority, self.ledger, address) for number, (name, address) in enumerate(places)
        )
        self.decoy = Decoy("decoy", every_name[0], self.authority, self.ledger)
        self._wanted = tuple(districts)
        self._seed, self._students = seed, students
        self._districts: dict[str, District] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._failure: BaseException | None = None

    @property
    def ca_file(self) -> str:
        """The path of the root certificate, in PEM; it exists while the simulation runs."""
        if self._folder is None:
            raise RuntimeError("the simulated SIS is not running")
        return str(Path(self._folder.name, "ca.pem"))

    @property
    def districts(self) -> tuple[District, ...]:
        return tuple(self._districts.values())

    def district(self, name: str) -> District:
        return self._districts[name]

    def add_district(
        self,
        name: str,
        *,
        host: int | None = None,
        base_path: str | None = None,
        dialect: Dialect | None = None,
        students: int | None = None,
    ) -> District:
        """Add a district, by default on the next host in turn, below `/name`, with current Aeries."""
        if name in self._districts:
            raise ValueError(f"there is already a district called {name}")
        school = School(name, self._seed, self._students if students is None else students)
        district = District(name, dialect or Aeries(), school, self.ledger, base_path)
        self.hosts[len(self._districts) % len(self.hosts) if host is None else host].add(district)
        district.decoy_origin = self.decoy.origin
        self._districts[name] = district
        return district

    @property
    def owners(self) -> dict[str, str]:
        """District to host, for `Ledger.strayed`."""
        return {district.name: district.host.name for district in self.districts if district.host}

    @property
    def problems(self) -> list[BaseException]:
        """Mistakes of the simulation itself; a test of anything else wants none."""
        return [problem for host in (*self.hosts, self.decoy) for problem in host.problems]

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="simulated-sis-")
        Path(self.ca_file).write_bytes(self.authority.root_pem)
        ready = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._live(ready)), name="simulated SIS", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self.__exit__(None, None, None)
            raise self._failure
        for name in self._wanted:
            self.add_district(name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=20)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _live(self, ready: Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        opened: list[Host] = []
        try:
            for host in (*self.hosts, self.decoy):
                opened.append(host)
                await host.open()
            ready.set()
            await self._stop.wait()
        except OSError as failure:
            self._failure = failure
        finally:
            ready.set()
            for host in opened:
                await host.close()
