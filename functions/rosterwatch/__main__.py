"""``rosterwatch`` and ``python -m rosterwatch``: an interrupt ends in a word even while everything is still being loaded."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the program."""
    try:
        from rosterwatch import cli  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
