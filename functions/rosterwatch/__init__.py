"""Rosterwatch: notices when a district's OneRoster connection breaks, and says why, whose move it is and how to fix it."""

from rosterwatch import quiet

__version__ = "0.1.0"

quiet.install()  # before anything of it can talk to anybody
