"""What the functions write down about themselves, and what it costs."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import check_districts
from rosterwatch.diagnosis import diagnose
from rosterwatch.telemetry import MetricUnit, measure, measuring
from rosterwatch.visits import Outcome
from tests.unit.observations import CASES, KNOWN, seen


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Rosterwatch")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "rosterwatch")


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def pairs(lines: list[dict[str, object]]) -> set[tuple[str, frozenset[tuple[str, object]]]]:
    """Metric and dimensions with their values: what CloudWatch bills by."""
    found = set()
    for line in lines:
        aws: dict[str, list[dict[str, list[object]]]] = line["_aws"]  # type: ignore[assignment]
        for directive in aws["CloudWatchMetrics"]:
            names: list[list[str]] = directive["Dimensions"]  # type: ignore[assignment]
            for metric in directive["Metrics"]:
                for dimensions in names:
                    found.add((str(metric["Name"]), frozenset((name, line[name]) for name in dimensions)))  # type: ignore[index]
    return found


def report(count: int, *, district_metrics: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of so many districts, one of each kind of trouble in turn."""
    use = SimpleNamespace(settings=SimpleNamespace(district_metrics=district_metrics))
    monkeypatch.setattr(check_districts, "edges", lambda: use)
    diagnoses = [diagnose(seen(), KNOWN), *(diagnose(sight, known) for sight, known in CASES.values())]
    with measuring():
        for number in range(count):
            diagnosis = diagnoses[number % len(diagnoses)]
            check_districts._report(Outcome(f"district-{number}", done=True, diagnosis=diagnosis, milliseconds=number))


def test_what_is_measured_in_one_invocation_is_written_in_one_line_for_each_set_of_dimensions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with measuring():
        for number in range(3):
            measure("Visits", 1, status="healthy")
            measure("VisitDuration", number, MetricUnit.Milliseconds)
        measure("CredentialsRefused", 1)
    lines = emitted(capsys)
    assert [sorted(name for name in line if name != "_aws") for line in lines] == [
        ["Visits", "service", "status"],
        ["CredentialsRefused", "VisitDuration", "service"],
    ]
    assert lines[1]["VisitDuration"] == [0.0, 1.0, 2.0]


def test_what_was_measured_is_written_when_the_function_fails_too(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        with measuring():
            measure("AlertsFailed", 1)
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - raised two lines above
        fails()
    [line] = emitted(capsys)
    assert line["AlertsFailed"] == [1.0]


def test_a_thousand_districts_make_no_more_metrics_than_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report(1000, district_metrics=False, monkeypatch=monkeypatch)
    lines = emitted(capsys)
    assert len(pairs(lines)) == 7  # visits by four statuses, their duration, refused credentials, empty collections
    assert len(lines) < 100
    values = [value for line in lines for value in line.get("VisitDuration", [])]  # type: ignore[attr-defined]
    assert len(values) == 1000


def test_only_who_asks_for_it_gets_a_metric_for_each_district(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report(50, district_metrics=True, monkeypatch=monkeypatch)
    healthy = {dimensions for name, dimensions in pairs(emitted(capsys)) if name == "Healthy"}
    assert len(healthy) == 50
