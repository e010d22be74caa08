"""Claims: tests marked with one are collected into a table (tests/proof.py), and try more in `make prove` than in `make test`."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from tests.proof import Outcome, Proof, Trial, page, rows, today

PROOF: Final = pytest.StashKey[Proof]()
#: Under this name a test's report carries its trial, from the process that ran it to the one that writes the page.
TRIAL: Final = "trial"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prove", metavar="PAGE", help="try only claims, all of them and in full, and write what was found into PAGE")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "claim(claim, part, how, only_full=False): what the test proves, for docs/proof.md; only_full: `make prove` only",
    )
    to: str | None = config.getoption("prove")
    if to is not None:
        config.pluginmanager.register(Page(Path(to)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("prove"):
        kept = [item for item in items if item.get_closest_marker("claim")]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
        return
    for item in items:
        claim = item.get_closest_marker("claim")
        if claim is not None and claim.kwargs.get("only_full"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: only in `make prove`"))


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Proof:
    """How much to try, and where to count it."""
    kept = Proof(full=bool(request.config.getoption("prove")))
    request.node.stash[PROOF] = kept
    return kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    claim = item.get_closest_marker("claim")
    # A test is one trial, however many of its phases fail.
    if claim is not None and (report.when == "call" or not report.passed):
        said = item.stash.get(PROOF, Proof(full=False))
        outcome = Outcome.FAILED if report.failed else Outcome.SKIPPED if report.skipped else Outcome.HOLDS
        many = 0 if report.when == "teardown" else said.trials or 1
        [text] = claim.args
        trial = Trial(claim.kwargs["part"], text, claim.kwargs["how"], outcome, many, tuple(said.notes))
        report.user_properties.append((TRIAL, trial.to_plain()))
    return report


class Page:
    """Gathers the trials of all tests, whichever process has run them, and writes them down at the end."""

    def __init__(self, to: Path) -> None:
        self.to = to
        self.began = time.monotonic()
        self.trials: list[tuple[tuple[str, int], Trial]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the trial from the report."""
        file, line, _ = report.location
        self.trials += [((file, line or 0), Trial.from_plain(value)) for name, value in report.user_properties if name == TRIAL]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the page, and say the same on the screen."""
        table = rows(trial for _, trial in sorted(self.trials, key=lambda one: one[0]))
        self.to.write_text(page(table, time.monotonic() - self.began, today()), encoding="utf-8")
        terminalreporter.section("what was proved")
        for row in table:
            terminalreporter.write_line(f"{row.result:.<24} {row.many:>10,}  {row.part}: {row.claim}")
