"""The command line: the group of all commands, and how each of them ends.

Exit codes: 0 healthy, 1 not healthy, 2 bad usage or bad values, 3 AWS or the stack cannot be used, 4 no verdict in time, 70
a mistake of ours, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn

try:
    import click
    import rich as _rich  # noqa: F401 - for its absence to be told in a sentence
except ImportError:  # pragma: no cover - seen only without the extra
    sys.exit("The command line needs its extra: pip install 'rosterwatch[cli]'")

import rosterwatch
from rosterwatch.address import without_values
from rosterwatch.check_command import check
from rosterwatch.dead_letters_command import dead_letters
from rosterwatch.doctor_command import doctor
from rosterwatch.explain_command import explain
from rosterwatch.fleet_commands import recheck, status
from rosterwatch.mute_commands import mute, mutes, unmute
from rosterwatch.providers_command import providers
from rosterwatch.secret_commands import add, remove, rotate
from rosterwatch.terminal import EXIT_BROKEN, EXIT_HEALTHY, EXIT_INTERRUPTED, EXIT_MISTAKE, EXIT_USAGE, EndError

_FRAMES: Final = 6


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(rosterwatch.__version__, prog_name="rosterwatch")
def rosterwatch_command() -> None:
    """Says whether a OneRoster connection works, and if not: why, whose move it is, and how to fix it.

    Most commands work on a deployed stack, with the AWS credentials of your environment; check --url, explain and providers need
    none. Secrets are asked for or read from files and standard input; they are never arguments, and never printed.

    Exit codes of all commands: 0 healthy or done; 1 not healthy; 2 bad usage or bad values; 3 AWS or the stack cannot be used;
    4 no verdict in time; 70 a mistake in Rosterwatch; 130 interrupted.
    """


for command in (check, status, recheck, add, rotate, mute, unmute, mutes, remove, explain, providers, doctor, dead_letters):
    rosterwatch_command.add_command(command)


def main() -> NoReturn:
    """The entry point: every way to end is a sentence and an exit code, never a traceback."""
    try:
        # Click answers with the exit code that a command has ended with, or None.
        code = rosterwatch_command(standalone_mode=False) or EXIT_HEALTHY
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        # It may repeat an argument: a secret that was pasted where a file belongs.
        click.echo(without_values(shown.getvalue()), err=True, nl=False)
        code = error.code if isinstance(error, EndError) else EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted.", err=True)
        _leave(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell but standard error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo("The output was closed before everything was written.", err=True)
        _leave(EXIT_BROKEN)
    except Exception as error:  # noqa: BLE001 - its words, and a traceback's, could hold what it was about
        click.echo(f"This is a mistake in Rosterwatch: {_place(error)}. Please report it.", err=True)
        _leave(EXIT_MISTAKE)
    _leave(code)


def _place(error: BaseException) -> str:
    """What an exception is and where it comes from, without a word of what it says."""
    frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {' > '.join(frames[-_FRAMES:])}"


def _leave(code: int) -> NoReturn:
    """End now: a name server that still owes us an answer must not hold the terminal."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = EXIT_BROKEN
    os._exit(code)
