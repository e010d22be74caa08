"""What the documentation says of the command line is so, and its pages that are made are made from what is there now."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rosterwatch import provider_page, runbook
from rosterwatch.cli import rosterwatch_command

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
#: A shell block that is marked so is run: ```sh run
RUNNABLE = re.compile(r"^```(?:sh|shell|bash|console) run\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: The program, wherever it lies, with its words up to the end of the line, the quotation, or the next command.
CALL = re.compile(r"(?<![\w./'-])(?:[\w.]+/)*(?:bin/)?rosterwatch (?P<words>[a-z][^\n`|;&<>]*)")
TARGET = re.compile(r"\bmake (?P<target>[a-z-]+)")


def commands(text: str) -> Iterator[list[str]]:
    """Every call of the program that a page shows: in code, not in a sentence about Rosterwatch."""
    for code in re.findall(r"`([^`\n]+)`|^(?:    |\$ )(.+)$|^((?:venv/bin/)?rosterwatch .+)$", text, re.MULTILINE):
        for call in CALL.finditer("".join(code)):
            yield shlex.split(call["words"].replace("'", " ").replace("[", "").replace("]", ""), comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        command = rosterwatch_command.commands.get(words[0])
        assert command is not None, f"{page.name}: rosterwatch {' '.join(words)}"
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert named <= known, f"{page.name}: rosterwatch {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_a_page_names_by_itself_is_one_of_some_command(page: Path) -> None:
    if page.name == "command-line.md":
        known = {
            option for command in rosterwatch_command.commands.values() for p in command.params for option in (*p.opts, "--help")
        }
        assert set(re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8"))) <= known


def test_the_reference_of_the_command_line_names_every_command() -> None:
    page = (REPOSITORY / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in rosterwatch_command.commands if f"rosterwatch {name}" not in page] == []


def test_the_page_of_causes_is_the_catalogue_of_today() -> None:
    made = (REPOSITORY / "docs" / "causes.md").read_text(encoding="utf-8")
    assert made == runbook.whole(), "run: make docs"


def test_the_page_of_providers_is_the_entries_of_today() -> None:
    made = (REPOSITORY / "docs" / "providers.md").read_text(encoding="utf-8")
    assert made == provider_page.page(), "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for code in re.findall(r"`([^`\n]+)`|^((?:    |\$ )?make .+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert {found["target"] for found in TARGET.finditer("".join(code))} <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_shell_blocks_that_are_marked_to_run_do(page: Path, tmp_path: Path) -> None:
    for block in RUNNABLE.findall(page.read_text(encoding="utf-8")):
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(["bash", "-euc", block], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page.name}:\n{block}\n{done.stdout}{done.stderr}"


def test_every_command_explains_itself_and_says_how_it_ends() -> None:
    for name, command in rosterwatch_command.commands.items():
        context = click.Context(command, info_name=name)
        text = command.get_help(context)
        assert name in ("explain", "providers") or "Exit code" in text, name
        assert all(isinstance(p, click.Argument) or getattr(p, "help", None) for p in command.params), name
