"""The dashboard's body: that CloudWatch can draw it, and that everything it and the alarms name is there."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest

from tests import template as template_file
from tests.local_aws import REPOSITORY
from tests.proof import Part

TEMPLATE = template_file.load()
RESOURCES = TEMPLATE["Resources"]
[DASHBOARD] = template_file.resources(TEMPLATE, "AWS::CloudWatch::Dashboard").values()
BODY: Final = DASHBOARD["DashboardBody"]["Fn::Sub"]
WIDGETS: Final[list[dict[str, Any]]] = json.loads(BODY)["widgets"]
ALARMS = template_file.resources(TEMPLATE, "AWS::CloudWatch::Alarm")

#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
KINDS = {"alarm", "custom", "explorer", "log", "metric", "text"}
NEEDED = {
    "alarm": {"alarms", "title"},
    "custom": {"endpoint", "title", "updateOn"},
    "log": {"query", "region", "title", "view"},
    "metric": {"metrics", "region", "title", "view", "stat", "period"},
}
#: Of AWS' own metrics, those that the dashboard may name, with their only dimension.
AWS_METRICS = {
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "Duration", "IteratorAge"}),
    "AWS/SQS": ("QueueName", {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}),
}


def emitted() -> dict[str, set[frozenset[str]]]:
    """Every metric that the code writes, with the names of its dimensions; the dimension ``service`` is always there."""
    found: dict[str, set[frozenset[str]]] = {}
    for path in (REPOSITORY / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("measure") and isinstance(node.args[0], ast.Constant):
                dimensions = {"service", *(keyword.arg for keyword in node.keywords if keyword.arg)}
                found.setdefault(str(node.args[0].value), set()).add(frozenset(dimensions - {"unit", "value"}))
    return found


EMITTED = emitted()


def rows(widget: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The metrics of a widget: namespace, name and dimensions; expressions are left out."""
    for row in widget["properties"].get("metrics", ()):
        namespace, *rest = row
        if isinstance(namespace, str):
            name, *dimensions = [part for part in rest if isinstance(part, str)]
            yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


def searches(widget: dict[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """The metrics that a widget searches for: name and dimensions."""
    for row in widget["properties"].get("metrics", ()):
        expression = row[0]["expression"] if isinstance(row[0], dict) else ""
        for schema, name in re.findall(r"SEARCH\('\{([\w,]+)\} MetricName=\"(\w+)\"", expression):
            namespace, *dimensions = schema.split(",")
            assert namespace == "Rosterwatch"
            yield name, frozenset(dimensions)


drawn = pytest.mark.claim(
    "CloudWatch can draw the dashboard, and every metric on it or behind an alarm is written by the code or is AWS' own",
    part=Part.TEMPLATE,
    how="every widget and alarm of the template beside every metric in the code",
)

each_widget = pytest.mark.parametrize("widget", WIDGETS, ids=[widget["properties"]["title"] for widget in WIDGETS])


@drawn
@each_widget
def test_a_widget_is_of_a_known_kind_with_what_that_kind_needs(widget: dict[str, Any]) -> None:
    assert widget["type"] in KINDS
    assert widget.keys() == {"type", "x", "y", "width", "height", "properties"}
    assert NEEDED[widget["type"]] <= widget["properties"].keys()


@each_widget
def test_a_widget_stays_within_the_twenty_four_columns(widget: dict[str, Any]) -> None:
    assert widget["x"] >= 0
    assert widget["y"] >= 0
    assert widget["width"] >= 1
    assert widget["x"] + widget["width"] <= 24
    assert 1 <= widget["height"] <= 1000


def test_no_widget_lies_on_another_and_no_row_is_left_empty() -> None:
    for one, other in combinations(WIDGETS, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        below = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or below, (one["properties"]["title"], other["properties"]["title"])
    covered = {row for widget in WIDGETS for row in range(widget["y"], widget["y"] + widget["height"])}
    assert covered == set(range(max(covered) + 1))


def test_the_districts_come_first_and_are_served_by_our_function() -> None:
    first = min(WIDGETS, key=lambda widget: widget["y"])
    assert (first["type"], first["width"]) == ("custom", 24)
    assert first["properties"]["endpoint"] == "${RenderDashboard.Arn}"


@drawn
@each_widget
def test_every_metric_is_one_that_the_code_writes_or_one_of_aws_about_a_resource_of_ours(widget: dict[str, Any]) -> None:
    for namespace, name, dimensions in rows(widget):
        if namespace == "Rosterwatch":
            assert frozenset(dimensions) in EMITTED.get(name, ()), f"{name} {sorted(dimensions)} is not written by the code"
            assert dimensions["service"] == "rosterwatch"
        else:
            dimension, names = AWS_METRICS[namespace]
            assert name in names
            assert dimensions.keys() == {dimension}
    for name, wanted in searches(widget):
        assert wanted in EMITTED.get(name, ()), f"{name} {sorted(wanted)} is not written by the code"


@drawn
@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm["Namespace"] == "Rosterwatch"])
def test_every_alarm_on_a_metric_of_ours_watches_one_that_the_code_writes(name: str) -> None:
    alarm = ALARMS[name]
    dimensions = frozenset(dimension["Name"] for dimension in alarm["Dimensions"])
    metric = alarm["MetricName"]
    assert dimensions in EMITTED.get(metric, ()), f"{metric} is not written by the code"


def test_the_code_names_no_district_in_a_dimension_unless_it_is_asked_to_so_that_the_bill_does_not_grow_with_the_fleet() -> None:
    named = {name for name, several in EMITTED.items() if any("district" in dimensions for dimensions in several)}
    assert named == {"Healthy"}  # behind DistrictMetrics


@each_widget
def test_the_identifiers_of_metric_math_are_unique_and_defined(widget: dict[str, Any]) -> None:
    options = [row[-1] for row in widget["properties"].get("metrics", ()) if isinstance(row[-1], dict)]
    identifiers = [option["id"] for option in options if "id" in option]
    assert len(identifiers) == len(set(identifiers))
    assert all(re.fullmatch(r"[a-z][a-zA-Z0-9_]*", identifier) for identifier in identifiers)
    for option in options:
        expression = re.sub(r"SEARCH\(.*\)", "", option.get("expression", ""))
        assert set(re.findall(r"\b[a-z]\w*\b", expression)) <= set(identifiers)


@drawn
def test_the_alarm_widget_shows_every_alarm() -> None:
    [widget] = [widget for widget in WIDGETS if widget["type"] == "alarm"]
    assert set(widget["properties"]["alarms"]) == {f"${{{name}.Arn}}" for name in ALARMS}
    assert len(ALARMS) <= 100


@drawn
def test_everything_that_is_put_in_is_a_resource_or_known_to_cloudformation() -> None:
    for name in re.findall(r"\$\{([^}]+)\}", BODY):
        assert name.startswith("AWS::") or name.split(".")[0] in RESOURCES, name


def test_the_table_of_changes_asks_for_fields_that_are_logged() -> None:
    [widget] = [widget for widget in WIDGETS if widget["type"] == "log"]
    query = widget["properties"]["query"]
    handler = (REPOSITORY / "functions" / "check_districts.py").read_text()
    assert query.startswith("SOURCE '${CheckDistrictsLogs}' | ")
    for field in ("district", "status", "cause", "change", "milliseconds"):
        assert f'"{field}"' in handler
        assert field in query
    assert '"visited"' in handler


def test_alerts_link_to_the_dashboard_that_is_made() -> None:
    variables = RESOURCES["SendAlerts"]["Properties"]["Environment"]["Variables"]
    assert variables["ROSTERWATCH_DASHBOARD"] == DASHBOARD["DashboardName"] == {"Ref": "AWS::StackName"}


def test_the_outputs_name_the_dashboard_and_its_function() -> None:
    assert TEMPLATE["Outputs"]["DashboardName"]["Value"] == {"Ref": "Dashboard"}
    assert TEMPLATE["Outputs"]["DashboardFunction"]["Value"] == {"Ref": "RenderDashboard"}
