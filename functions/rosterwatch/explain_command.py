"""``rosterwatch explain``: what a cause means and what to do about it, from the catalogue."""

from __future__ import annotations

import difflib
import sys

import click
from rich.markdown import Markdown

from rosterwatch import runbook
from rosterwatch.causes import CAUSES
from rosterwatch.providers import PROVIDERS
from rosterwatch.terminal import output


@click.command()
@click.argument("cause", required=False, shell_complete=lambda _c, _p, begun: [name for name in CAUSES if name.startswith(begun)])
@click.option("--all", "everything", is_flag=True, help="The whole catalogue.")
@click.option(
    "--provider", type=click.Choice(list(PROVIDERS)), default="aeries", show_default=True, help="Whose pages and boxes to name."
)
def explain(cause: str | None, everything: bool, provider: str) -> None:
    """Say what CAUSE means, whose move it is, and what to do. Needs no AWS.

    On a terminal it is laid out; in a pipe or a file it is Markdown.
    """
    if (cause is None) != everything:
        raise click.UsageError("Name a cause, such as credentials_revoked, or give --all.")
    if cause is not None and cause not in CAUSES:
        near = difflib.get_close_matches(cause, CAUSES, 3, 0.4)
        raise click.UsageError(f"There is no cause {cause}." + (f" Did you mean {', '.join(near)}?" if near else ""))
    text = runbook.whole() if cause is None else runbook.entry(CAUSES[cause], provider)
    if sys.stdout.isatty():
        output().print(Markdown(text))
    else:
        click.echo(text, nl=False)
