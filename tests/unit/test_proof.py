from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.proof import REPOSITORY, Outcome, Part, Trial, page, rows

pytest_plugins = ["pytester"]

WHEN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def trial(outcome: Outcome, claim: str = "Nothing is lost", part: Part = Part.FAULTS, many: int = 1, how: str = "by hand") -> Trial:
    return Trial(part, claim, how, outcome, many)


def test_a_claim_holds_only_if_all_its_tests_pass() -> None:
    [row] = rows([trial(Outcome.HOLDS, many=5), trial(Outcome.FAILED, how="by force"), trial(Outcome.HOLDS)])
    assert (row.outcome, row.many, row.how) == (Outcome.FAILED, 7, "by hand; by force")


def test_what_was_skipped_is_not_counted_as_tried() -> None:
    [row] = rows([trial(Outcome.SKIPPED, many=3)])
    assert (row.result, row.many) == ("not tried", 0)


def test_the_page_has_each_part_in_its_order_and_counts_what_failed() -> None:
    text = page(rows([trial(Outcome.FAILED, part=Part.SUPPLY), trial(Outcome.HOLDS, "A | B", many=1_000_000)]), 90, WHEN)
    assert text.index("## Faults at every step") < text.index("## Supply chain")
    assert "| A \\| B | by hand | 1,000,000 | holds |" in text
    assert "2 claims, 1 failed" in text


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of four tests with this repository's own plugin."""
    pytester.makepyfile("""
        import pytest
        from tests.proof import Part

        @pytest.mark.claim("It counts", part=Part.LOAD, how="in a loop")
        def test_counts(proof):
            proof.tried(proof.amount(quick=2, full=700))
            proof.note("p95 1.0")

        @pytest.mark.claim("It breaks", part=Part.LOAD, how="once")
        def test_breaks(proof):
            assert not proof.full

        @pytest.fixture
        def unruly():
            yield
            raise RuntimeError("left behind")

        @pytest.mark.claim("It leaves nothing", part=Part.LOAD, how="once", only_full=True)
        def test_leaves_nothing(unruly):
            pass

        @pytest.mark.claim("It is slow", part=Part.LOAD, how="at length", only_full=True)
        def test_slow():
            pass

        def test_other():
            pass
    """)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-p", "tests.conftest", *arguments)


def test_make_test_tries_the_quick_amount_and_says_what_it_leaves(suite: pytest.Pytester) -> None:
    result = run(suite, "-rs")
    result.assert_outcomes(passed=3, skipped=2)
    result.stdout.fnmatch_lines(["*only in `make prove`*"])


@pytest.mark.parametrize("processes", ["0", "2"])
def test_make_prove_tries_claims_only_in_full_and_writes_what_it_found(
    suite: pytest.Pytester, tmp_path: Path, processes: str
) -> None:
    result = run(suite, "--prove", str(tmp_path / "proof.md"), "--numprocesses", processes)
    result.assert_outcomes(passed=3, failed=1, errors=1)
    text = (tmp_path / "proof.md").read_text()
    assert "| It counts | in a loop | 700 | holds; p95 1.0 |" in text
    assert "| It breaks | once | 1 | FAILED |" in text
    assert "| It leaves nothing | once | 1 | FAILED |" in text
    assert "| It is slow | at length | 1 | holds |" in text
