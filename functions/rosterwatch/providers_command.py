"""``rosterwatch providers``: the SIS products that are known, and what each is known to do."""

from __future__ import annotations

import click
from rich.table import Table

from rosterwatch import provider_page
from rosterwatch.providers import PROVIDERS
from rosterwatch.terminal import output


@click.command()
@click.argument("name", required=False, type=click.Choice(list(PROVIDERS)))
@click.option("--all", "everything", is_flag=True, help="All that is known of all of them, as Markdown.")
def providers(name: str | None, everything: bool) -> None:
    """List the products that --provider and the field "provider" may name, or say what is known of NAME. Needs no AWS."""
    if name and everything:
        raise click.UsageError("Name a provider, or give --all.")
    if everything:
        click.echo(provider_page.page(), nl=False)
    elif name:
        click.echo("\n".join(provider_page.lines(PROVIDERS[name])))
    else:
        output().print(_table())


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Provider", "Product", "OneRoster", "auth", "Token path"):
        table.add_column(column)
    for one in PROVIDERS.values():
        paths = ", ".join(dialect.path for dialect in one.token_dialects[:2]) + (", ..." if len(one.token_dialects) > 2 else "")
        table.add_row(one.name, one.wording.product, one.version, one.auth.value, paths or "-")
    return table
