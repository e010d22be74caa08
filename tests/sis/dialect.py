"""The seam between a district and the product it runs: what another SIS has to answer to live here.

A dialect is stateless. What must be remembered (records, tokens, calendar) belongs to the district it is handed.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.sis.exchange import Answer, Request

if TYPE_CHECKING:
    from tests.sis.district import District


@dataclass(frozen=True)
class Place:
    """Where in a visit a request belongs; faults and the ledger are told by it.

    `phase` is one of `PHASES`; `path` is what follows the district's base path.
    """

    phase: str
    path: str
    collection: str | None = None
    sourced_id: str | None = None


PHASES = ("token", "data", "systeminfo", "certificate", "other")


@dataclass(frozen=True)
class World:
    """How the data differs from the honest truth while a fault says so."""

    scale: float = 1.0  # every collection holds this share of its records
    empty: bool = False  # every collection holds nothing
    terms_shifted: int = 0  # years


class Dialect(Protocol):
    """One SIS product's way to speak OneRoster."""

    @property
    def name(self) -> str: ...

    def credentials(self, district: "District") -> dict[str, Any]:
        """What the administrator hands over: the fields of the district's secret."""

    def place(self, path: str) -> Place:
        """Say what a path below the district's base is for."""

    def answer(self, request: Request, place: Place, district: "District", world: World) -> Answer:
        """Answer as the product would, all faults aside."""
