"""Tries one input again: `python -m tests.fuzz NAME NUMBER`."""

from __future__ import annotations

import sys

from tests.fuzz.campaigns import CAMPAIGNS

if __name__ == "__main__":
    sys.path.insert(0, "functions")
    CAMPAIGNS[sys.argv[1]].replay(int(sys.argv[2]))
