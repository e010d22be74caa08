"""What the benchmarks compute from their measurements; what they measure is no test's business."""

from __future__ import annotations

import importlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import benchmarks
from benchmarks import cost
from benchmarks.cost import INTERVALS, PRICES, SIZES, Measured
from benchmarks.lambda_rig import PREFIX, settings
from benchmarks.plot import line_plot
from benchmarks.statistics_of import interleaved, percentile, ratios, spread
from rosterwatch.settings import alert_settings, check_settings, dispatch_settings, render_settings

MEASURED = Measured(
    seconds=0.16,
    gb_seconds=0.08,
    batch=20,
    written_bytes=700,
    log_bytes=700,
    tick_gb_seconds=0.01,
    tick_gb_seconds_a_district=0.0001,
    tick_log_bytes=1000,
    minute_gb_seconds=0.005,
    minute_log_bytes=300,
    metrics=14,
    alarms=10,
)


@pytest.mark.parametrize("module", sorted(path.stem for path in Path(benchmarks.__file__).parent.glob("*.py")))
def test_every_module_can_be_imported(module: str) -> None:
    if module != "requests_lane":  # it runs in an environment of its own
        importlib.import_module(f"benchmarks.{module}")


def test_built_functions_are_measured_with_the_settings_that_the_template_gives_them() -> None:
    environment = settings()
    assert check_settings(environment).host_concurrency == 2
    assert dispatch_settings(environment).secret_prefix == PREFIX
    assert alert_settings(environment).topic_arns
    assert render_settings(environment).table


def test_lanes_run_in_turn_and_the_other_way_round_every_other_time() -> None:
    order: list[str] = []

    def lane(name: str) -> int:
        order.append(name)
        return len(order)

    took = interleaved({"a": lambda: lane("a"), "b": lambda: lane("b")}, 3, lambda _: None)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert took == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_values_are_told_by_their_median_and_their_bounds() -> None:
    assert spread([3, 1, 2000]) == "3.0 [1.0 to 2,000.0]"
    assert ratios([1, 4], [2, 2]) == [0.5, 2]
    assert percentile(range(1, 101), 0.95) == 96
    assert percentile([7], 0.95) == 7


def test_a_visit_costs_what_its_parts_cost() -> None:
    visits = cost.MINUTES_A_MONTH / 15
    parts = cost.of_a_visit(MEASURED, 1000)
    assert parts["reading the secret"] * visits == pytest.approx(0.0146)
    assert parts["writing the state"] * visits == pytest.approx(0.0018, abs=0.0001)
    assert cost.of_a_district(MEASURED, 15) == pytest.approx(sum(parts.values()) * visits)


def test_a_district_costs_no_more_in_a_larger_fleet_and_less_when_looked_at_less_often() -> None:
    for minutes in INTERVALS:
        by_size = [cost.of_a_district(MEASURED, minutes, size) for size in SIZES]
        assert by_size == sorted(by_size, reverse=True)
    by_interval = [cost.of_a_district(MEASURED, minutes) for minutes in INTERVALS]
    assert by_interval == sorted(by_interval, reverse=True)


def test_an_item_of_more_than_a_kilobyte_takes_another_write_unit() -> None:
    larger = Measured(**{name: getattr(MEASURED, name) for name in MEASURED.__slots__} | {"written_bytes": 1025})
    assert cost.of_a_visit(larger, 1)["writing the state"] == 2 * cost.of_a_visit(MEASURED, 1)["writing the state"]


def test_every_price_names_its_source_and_every_table_is_there() -> None:
    assert all(source.startswith("https://") for _, source in PRICES.values())
    text = "\n".join(cost.tables(MEASURED))
    assert "| 10,000 |" in text
    assert "CloudWatch Synthetics" in text
    assert "Checkly" in text


def test_a_plot_is_an_image_with_a_line_for_each_name() -> None:
    drawn = ET.fromstring(line_plot("Title", "across", "up", ["1", "10"], {"one": [1, 2], "other": [3, 0]}))  # noqa: S314 - our own
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    ET.fromstring(cost.plot(MEASURED))  # noqa: S314 - our own
