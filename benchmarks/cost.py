"""What a district costs a month: measured GB-seconds and counted AWS calls, times the list prices below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cold_start import events
from benchmarks.lambda_rig import PREFIX, REPOSITORY, rig, run_function
from benchmarks.plot import line_plot
from benchmarks.shares import Batch
from benchmarks.statistics_of import table

#: List prices in US dollars, us-east-1, arm64, no free tier, as of this day.
PRICES_OF: Final = "2026-11-24"
PRICES: Final[Mapping[str, tuple[float, str]]] = {
    "lambda GB-second": (0.0000133334, "https://aws.amazon.com/lambda/pricing/"),
    "lambda request": (0.20 / 1e6, "https://aws.amazon.com/lambda/pricing/"),
    "secrets read": (0.05 / 1e4, "https://aws.amazon.com/secrets-manager/pricing/"),
    "secret a month": (0.40, "https://aws.amazon.com/secrets-manager/pricing/"),
    "table write unit": (0.625 / 1e6, "https://aws.amazon.com/dynamodb/pricing/on-demand/"),
    "table read unit": (0.125 / 1e6, "https://aws.amazon.com/dynamodb/pricing/on-demand/"),
    "queue request": (0.40 / 1e6, "https://aws.amazon.com/sqs/pricing/"),
    "log GB": (0.50, "https://aws.amazon.com/cloudwatch/pricing/"),
    "metric a month": (0.30, "https://aws.amazon.com/cloudwatch/pricing/"),
    "alarm a month": (0.10, "https://aws.amazon.com/cloudwatch/pricing/"),
    "schedule invocation": (1.00 / 1e6, "https://aws.amazon.com/eventbridge/pricing/"),
    "canary run": (0.0012, "https://aws.amazon.com/cloudwatch/pricing/"),
    "checkly multistep request": (2.00 / 1e4, "https://www.checklyhq.com/docs/monitoring/check-pricing/"),
}
MINUTES_A_MONTH: Final = 730 * 60
SIZES: Final = (1, 10, 100, 1_000, 10_000)
INTERVALS: Final = (5, 15, 60)
#: What one check of the peers asks of a server: a token and ten collections.
REQUESTS_A_CHECK: Final = 11
# Lambda keeps five long polls of twenty seconds on a queue, however quiet it is.
_IDLE_POLLS_A_MINUTE: Final = 15


@dataclass(frozen=True, slots=True)
class Measured:
    """What the bill is computed from. Of a visit unless it says otherwise; `tick` is a round of dispatch_districts."""

    seconds: float
    gb_seconds: float
    batch: int
    written_bytes: float
    log_bytes: float
    tick_gb_seconds: float
    tick_gb_seconds_a_district: float
    tick_log_bytes: float
    minute_gb_seconds: float
    minute_log_bytes: float
    metrics: int
    alarms: int


def measure(artifact: Path, check: Batch, progress: Callable[[str], None]) -> Measured:
    """The same for the functions beside check_districts, warm, whose batch was measured before."""
    template = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    seconds: dict[str, float] = {}
    logs: dict[str, float] = {}
    with rig() as running:
        for name, handler, districts in (
            ("tick", "dispatch_districts", 0),
            ("tick of a thousand", "dispatch_districts", 1000),
            ("minute", "send_alerts", 0),
        ):
            progress(name)
            running.aws.items.clear()
            running.aws.secrets = {f"{PREFIX}district-{number}": "{}" for number in range(districts)}
            warm = [events(handler)] * 4
            run = run_function(running, artifact, f"{handler}.handler", warm)
            seconds[name], logs[name] = sorted(run.answered[1:])[1], len(run.log) / 4
    small = 256 / 1024
    return Measured(
        seconds=check.seconds / check.districts,
        gb_seconds=check.gb_seconds,
        batch=check.districts,
        written_bytes=check.written_bytes,
        log_bytes=check.log_bytes,
        tick_gb_seconds=seconds["tick"] * small,
        tick_gb_seconds_a_district=max(0.0, seconds["tick of a thousand"] - seconds["tick"]) * small / 1000,
        tick_log_bytes=logs["tick"],
        minute_gb_seconds=seconds["minute"] * small,
        minute_log_bytes=logs["minute"],
        # One for each status of visits and of districts, and those without a status.
        metrics=4 + 4 + 6,
        alarms=template.count("Type: AWS::CloudWatch::Alarm"),
    )


def _price(what: str) -> float:
    return PRICES[what][0]


def of_a_visit(measured: Measured, districts: int) -> dict[str, float]:
    """The dollars of one visit, by what they go to, in a fleet of so many districts that fills its batches as far as it can."""
    batch = min(measured.batch, districts)
    return {
        "reading the secret": _price("secrets read"),
        "running check_districts": measured.gb_seconds * _price("lambda GB-second") + _price("lambda request") / batch,
        "writing the state": -(-measured.written_bytes // 1024) * _price("table write unit"),
        "reading the state": -(-measured.written_bytes // 4096) * _price("table read unit"),
        # Sent ten at a time, taken a batch at a time, deleted ten at a time.
        "the queue": (2 / min(10, batch) + 1 / batch) * _price("queue request"),
        "logs and metrics' lines": measured.log_bytes / 1e9 * _price("log GB"),
        # A list of a hundred names a call, and the states that the list is counted from.
        "dispatching it": measured.tick_gb_seconds_a_district * _price("lambda GB-second")
        + _price("secrets read") / 100
        + measured.written_bytes / 8192 * _price("table read unit"),
    }


def of_a_district(measured: Measured, minutes: int, districts: int = 1_000) -> float:
    """The dollars of one district and month, without the secret's own and without the stack's share."""
    return sum(of_a_visit(measured, districts).values()) * MINUTES_A_MONTH / minutes


def of_the_stack(measured: Measured, minutes: int) -> dict[str, float]:
    """What a month costs before there is any district."""
    ticks = MINUTES_A_MONTH / minutes
    return {
        f"{measured.metrics} fleet metrics": measured.metrics * _price("metric a month"),
        f"{measured.alarms} alarms on the monitor itself": measured.alarms * _price("alarm a month"),
        "the fingerprint key": _price("secret a month"),
        "Lambda's polls of the queue": _IDLE_POLLS_A_MINUTE * MINUTES_A_MONTH * _price("queue request"),
        "send_alerts, each minute": MINUTES_A_MONTH
        * (
            measured.minute_gb_seconds * _price("lambda GB-second")
            + _price("lambda request")
            + _price("schedule invocation")
            + measured.minute_log_bytes / 1e9 * _price("log GB")
            + 5 * _price("table read unit")
        ),
        "dispatch_districts, each tick": ticks
        * (
            measured.tick_gb_seconds * _price("lambda GB-second")
            + _price("lambda request")
            + _price("schedule invocation")
            + measured.tick_log_bytes / 1e9 * _price("log GB")
        ),
    }


def tables(measured: Measured) -> list[str]:
    """The section of the document."""
    visits = MINUTES_A_MONTH / 15
    rows = [
        [what, f"${each * visits:.4f}", f"{each * visits / of_a_district(measured, 15):.0%}"]
        for what, each in of_a_visit(measured, 1000).items()
    ]
    rows.append(["together", f"${of_a_district(measured, 15):.4f}", "100%"])
    fixed = [[what, f"${dollars:.2f}"] for what, dollars in of_the_stack(measured, 15).items()]
    fixed.append(["together", f"${sum(of_the_stack(measured, 15).values()):.2f}"])
    grown = []
    for districts in SIZES:
        row = [f"{districts:,}"]
        for minutes in INTERVALS:
            whole = districts * of_a_district(measured, minutes, districts) + sum(of_the_stack(measured, minutes).values())
            row.append(f"${of_a_district(measured, minutes, districts):.4f}; ${whole:,.2f}")
        grown.append(row)
    peers = [
        [
            f"{minutes} minutes",
            f"${of_a_district(measured, minutes):.3f}",
            f"${MINUTES_A_MONTH / minutes * _price('canary run'):.2f}",
            f"${MINUTES_A_MONTH / minutes * REQUESTS_A_CHECK * _price('checkly multistep request'):.2f}",
        ]
        for minutes in INTERVALS
    ]
    prices = [[what, f"${dollars:.10f}".rstrip("0"), source] for what, (dollars, source) in PRICES.items()]
    return [
        f"List prices of {PRICES_OF}, us-east-1, arm64, no free tier; a month has 730 hours. GB-seconds are of the batch above at the "
        "template's own memory size, on this machine's core for Lambda's. Whether a batch read of secrets is billed as one call or as one "
        "for each secret is not written down anywhere we know: it is counted as one for each, the dearer of the two.",
        "",
        "One district, every 15 minutes, a month, in a fleet of 1,000:",
        "",
        *table(["what", "a month", "share"], rows),
        "The stack itself, a month, whatever it watches:",
        "",
        *table(["what", "a month"], fixed),
        "A district's part, and the whole bill with the stack's own; the secrets themselves ($0.40 each) come on top of both:",
        "",
        *table(["districts", *(f"every {minutes} minutes" for minutes in INTERVALS)], grown),
        f"Two functions at once, as the template has it, visit about {2 * 60 / measured.seconds:,.0f} districts a minute of well districts "
        "whose answers take 200 ms: more than that in an interval need a higher `MaximumConcurrency`.",
        "",
        "![Dollars a district and month, by the size of the fleet](cost.svg)",
        "",
        "The same job elsewhere, one district, a month. CloudWatch Synthetics bills the run, and the function, logs and storage behind it "
        "apart; Checkly bills each request of a multistep check, on top of a plan:",
        "",
        *table(["every", "Rosterwatch", "CloudWatch Synthetics", "Checkly, multistep"], peers),
        "<details><summary>The prices</summary>",
        "",
        *table(["what", "price", "source"], prices),
        "</details>",
        "",
    ]


def plot(measured: Measured) -> str:
    """Dollars a district and month with the stack's own spread over the fleet, by its size."""
    lines = {
        f"every {minutes} minutes": [
            of_a_district(measured, minutes, n) + sum(of_the_stack(measured, minutes).values()) / n for n in SIZES[2:]
        ]
        for minutes in INTERVALS
    }
    return line_plot(
        "A district and month, the stack's own share included", "districts", "US dollars", [f"{n:,}" for n in SIZES[2:]], lines
    )
