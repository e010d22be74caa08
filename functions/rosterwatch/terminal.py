"""What all commands share at the terminal: how they end, how they print, and how they ask."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from rosterwatch.finding import Status

EXIT_HEALTHY: Final = 0
EXIT_BROKEN: Final = 1
EXIT_USAGE: Final = 2
EXIT_AWS: Final = 3
EXIT_LATE: Final = 4
EXIT_MISTAKE: Final = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED: Final = 130

STATUS_COLOURS: Final = {Status.HEALTHY: "green", Status.DEGRADED: "yellow", Status.FAILING: "red", Status.UNKNOWN: "magenta"}
#: A table in a file or a pipe is not to be broken for the width of a terminal that is not there.
_PIPED_WIDTH: Final = 200


class EndError(click.ClickException):
    """When a command cannot go on: a sentence, and the exit code that says of which kind the trouble is."""

    def __init__(self, sentence: str, exit_code: int = EXIT_AWS) -> None:
        super().__init__(sentence)
        self.code = exit_code


def output() -> Console:
    """Standard output. Without colour where nobody would see it, or where ``NO_COLOR`` is set."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def messages() -> Console:
    """Standard error, for progress and for what is said to a person beside the output."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def ask(question: str, check: Callable[[str], str] | None = None, *, hidden: bool = False, default: str | None = None) -> str:
    """One answer from a person, or, where standard input is no terminal, its next line.

    ``check`` returns the answer as it is to be used, or raises ValueError with what is wrong: a person is then asked again.
    """
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise click.UsageError(f"Standard input ended before the answer to: {question}.")
        answer = line.strip() or (default or "")
        try:
            return check(answer) if check else answer
        except ValueError as problem:
            raise click.UsageError(f"{question}: {problem}.") from None

    def checked(answer: str) -> str:
        try:
            return check(answer.strip()) if check else answer.strip()
        except ValueError as problem:
            raise click.UsageError(f"{problem}.") from None

    return str(click.prompt(question, hide_input=hidden, default=default, show_default=False, value_proc=checked, err=True))


def read_text(path: Path) -> str:
    """The text of a file, or of standard input for ``-``."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not a text file.") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None


def is_sure(question: str) -> bool:
    """Whether a person says yes. Where there is nobody to ask, ``--yes`` has to be given."""
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: give --yes.")
    return click.confirm(question, err=True)
