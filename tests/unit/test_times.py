from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rosterwatch.times import lasting, moment


def test_a_moment_names_its_zone() -> None:
    assert moment(datetime(2026, 9, 1, 4, 5, 6, tzinfo=UTC)) == "2026-09-01 04:05 UTC"


@pytest.mark.parametrize(("minutes", "said"), [(0.2, "less than a minute"), (59, "59 min"), (60, "1 h"), (1501, "1 d 1 h 1 min")])
def test_a_duration_is_told_in_the_unit_that_a_person_would_use(minutes: float, said: str) -> None:
    assert lasting(minutes * 60) == said
