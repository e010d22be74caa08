"""Logs and metrics, through Powertools. Only closed-list words, numbers and names of districts ever go in.

Metrics are fleet metrics: no dimension names a district, so that the bill does not grow with the fleet. They are written as
EMF log lines, from which CloudWatch makes the metrics without a call of ours.
"""

from __future__ import annotations

import functools

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

__all__ = ["MetricUnit", "logger", "measure"]


@functools.cache
def logger() -> Logger:
    """The process's logger: JSON lines; level and service name come from the POWERTOOLS variables."""
    return Logger()


def measure(name: str, value: float, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """Write one value of a metric. The dimension ``service`` is always there, from POWERTOOLS_SERVICE_NAME."""
    with single_metric(name=name, unit=unit, value=value) as metric:
        for dimension, of in dimensions.items():
            metric.add_dimension(dimension, of)
