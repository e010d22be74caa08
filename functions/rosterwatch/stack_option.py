"""The options that name the stack, for every command that needs one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from rosterwatch.terminal import EndError

if TYPE_CHECKING:
    from rosterwatch.stack import Stack

P = ParamSpec("P")


def stack_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--stack``, ``--region`` and ``--profile``, as ``stack_name``, ``region`` and ``profile``."""
    for option in (
        click.option("--profile", help="The AWS profile.  [default: AWS_PROFILE, or the environment's credentials]"),
        click.option("--region", help="The AWS region.  [default: that of the profile or the environment]"),
        click.option(
            "--stack",
            "stack_name",
            default="rosterwatch",
            envvar="ROSTERWATCH_STACK",
            show_default=True,
            show_envvar=True,
            help="The name of the deployed stack.",
        ),
    ):
        command = option(command)
    return command


def with_stack(command: Callable[Concatenate[Stack, P], None]) -> Callable[..., None]:
    """Hand the command its stack, found by the options that name it. What AWS refuses ends in a sentence."""

    @stack_options
    @functools.wraps(command)
    def with_options(stack_name: str, region: str | None, profile: str | None, **options: Any) -> None:
        on_stack(command, stack_name, region, profile, **options)

    return with_options


def on_stack(command: Callable[..., None], stack_name: str, region: str | None, profile: str | None, **options: Any) -> None:
    """Call ``command`` with the stack of this name."""
    # Imported here: a check of a server needs no AWS, and its client takes a quarter of a second to load.
    from rosterwatch.stack import StackError, open_stack, spoken  # noqa: PLC0415

    try:
        with spoken():
            command(open_stack(stack_name, region, profile), **options)
    except StackError as error:
        raise EndError(str(error)) from None


def district_argument(*, required: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The argument that names a district."""
    return click.argument("district", required=required, callback=_district)


def _district(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    from rosterwatch.queue import is_district  # noqa: PLC0415

    if name is not None and not is_district(name):
        raise click.BadParameter("a district's name consists of letters, digits and / _ + = . @ -, as in the name of its secret.")
    return name
