"""Rosterwatch: notices when a district's OneRoster connection breaks, and says why, whose move it is and how to fix it."""

__version__ = "0.1.0"
