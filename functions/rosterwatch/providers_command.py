"""``rosterwatch providers``: the SIS products that are known, and what each is known to do."""

from __future__ import annotations

import click
from rich.table import Table

from rosterwatch.providers import PROVIDERS, Provider
from rosterwatch.terminal import output


@click.command()
@click.argument("name", required=False, type=click.Choice(list(PROVIDERS)))
def providers(name: str | None) -> None:
    """List the products that --provider and the field "provider" may name, or say what is known of NAME. Needs no AWS."""
    console = output()
    if name is not None:
        for line in about(PROVIDERS[name]):
            console.print(line, markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Provider", "Product", "OneRoster", "auth", "Token path"):
        table.add_column(column)
    for one in PROVIDERS.values():
        paths = ", ".join(dialect.path for dialect in one.token_dialects[:2]) + (", ..." if len(one.token_dialects) > 2 else "")
        table.add_row(one.name, one.wording.product, one.version, one.auth.value, paths or "-")
    console.print(table)


def about(provider: Provider) -> list[str]:
    """Everything the entry of a provider says, a line each."""
    words = provider.wording
    lines = [
        f"{provider.name}: {words.product}, OneRoster {provider.version}, auth {provider.auth.value}",
        f"  credentials: {words.credentials}, on {words.credentials_page}",
        *(f"  token: {dialect.path}" + ("" if dialect.scoped else " (no scopes)") for dialect in provider.token_dialects),
        f"  data: {provider.data_path or 'where the specification puts it'}",
    ]
    return lines + [f"  {'' if fact.sure else '(not sure) '}{fact.text} [{fact.source}]" for fact in provider.facts]
