"""What may import what: handlers import anything, edges import the domain, the domain imports itself and the standard library."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rosterwatch

PACKAGE = Path(rosterwatch.__file__).parent
HANDLERS = {path.stem for path in PACKAGE.parent.glob("*.py")}
MODULES = {path.stem: path for path in PACKAGE.glob("*.py")}
PURE = {
    "address",
    "alerts",
    "body",
    "calendar",
    "case",
    "cause",
    "causes",
    "diagnosis",
    "discovered",
    "district",
    "entry",
    "evidence",
    "fields",
    "finding",
    "fingerprint",
    "health",
}
PURE |= {
    "grouping",
    "incidents",
    "items",
    "links",
    "mail",
    "mute",
    "notices",
    "observation",
    "oneroster",
    "provider_page",
    "providers",
    "record",
    "report",
    "rules",
    "snapshot",
    "table",
    "telling",
    "times",
    "wording",
}
PURE |= {"district_table", "markup", "matrix", "popup", "widget"}
HTTP = {"httpx", "httpcore", "h2", "anyio", "socket", "ssl"}


def imports(path: Path) -> Iterator[str]:
    """The full names of what a module imports when it runs; what is for type checkers only does not count."""
    for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _run(child)


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_imports_only_other_pure_ones_and_the_standard_library(module: str) -> None:
    for name in imports(MODULES[module]):
        first, _, rest = name.partition(".")
        assert first in sys.stdlib_module_names - HTTP - {"asyncio", "os"} or first == "rosterwatch"
        if first == "rosterwatch":
            assert rest.partition(".")[0] in PURE


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_a_handler_or_a_test_and_http_and_aws_stay_at_their_edges(module: str) -> None:
    firsts = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert not firsts & (HANDLERS | {"tests"})
    if module != "stack":
        assert "boto3" not in firsts
    if module not in ("client", "network"):
        assert not firsts & (HTTP - {"ssl"})
    if module not in ("board", "races", "secrets", "stack", "state"):
        assert "botocore" not in firsts


@pytest.mark.parametrize("module", MODULES)
def test_only_the_settings_and_the_command_line_read_the_environment(module: str) -> None:
    if module not in ("settings", "cli", "check_command"):
        assert not re.search(r"\bos\.(environ|getenv)|\bfrom os import", MODULES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", sorted(HANDLERS))
def test_a_handler_leaves_the_environment_and_http_to_their_owners(module: str) -> None:
    path = PACKAGE.parent / f"{module}.py"
    assert not {name.partition(".")[0] for name in imports(path)} & (HTTP | {"os", "tests"} | HANDLERS)
