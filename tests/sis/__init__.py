"""A simulated student information system: real sockets, real TLS, and a switch for every way it can fail."""

from tests.sis import answers, bends, echoes, wire  # each enters its kinds of fault
from tests.sis.aeries import Aeries
from tests.sis.district import District
from tests.sis.faults import KINDS, Fault
from tests.sis.products import PRODUCTS, Product
from tests.sis.school import PLANTED
from tests.sis.server import SimulatedSis

__all__ = [
    "KINDS", "PLANTED", "PRODUCTS", "Aeries", "District", "Fault", "Product", "SimulatedSis", "answers", "bends", "echoes", "wire",
]  # fmt: skip
