"""Logs and metrics, through Powertools. Only closed-list words, numbers and names of districts ever go in.

Metrics are fleet metrics: no dimension names a district unless the operator asked for it, so that the bill does not grow with the
fleet. They are collected and written once an invocation, as EMF log lines, one for each set of dimensions: log bytes cost money,
and CloudWatch makes the metrics from them without a call of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

__all__ = ["MetricUnit", "logger", "measure", "measuring"]

_Values = list[tuple[str, MetricUnit, float]]
_MOST_VALUES = 99  # of one metric in one EMF line; at a hundred Powertools writes by itself
_collected: dict[tuple[tuple[str, str], ...], _Values] = {}


@functools.cache
def logger() -> Logger:
    """The process's logger: JSON lines; level and service name come from the POWERTOOLS variables."""
    return Logger()


def measure(name: str, value: float, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """Note one value of a metric. The dimension ``service`` is always there, from POWERTOOLS_SERVICE_NAME."""
    _collected.setdefault(tuple(sorted(dimensions.items())), []).append((name, unit, value))


@contextmanager
def measuring() -> Iterator[None]:
    """Write what was measured inside, also when it ends with an exception."""
    _collected.clear()
    try:
        yield
    finally:
        for dimensions, values in _collected.items():
            for start in range(0, len(values), _MOST_VALUES):
                _write(dimensions, values[start : start + _MOST_VALUES])
        _collected.clear()


def _write(dimensions: tuple[tuple[str, str], ...], values: _Values) -> None:
    metrics = EphemeralMetrics()
    for name, of in dimensions:
        metrics.add_dimension(name, of)
    for name, unit, value in values:
        metrics.add_metric(name, unit, value)
    metrics.flush_metrics()
