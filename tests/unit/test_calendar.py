from __future__ import annotations

from datetime import date

import pytest

from rosterwatch.calendar import in_session, next_term, school_year
from tests.unit.observations import YEAR


@pytest.mark.parametrize(
    ("today", "running"),
    [
        (date(2026, 8, 16), False),
        (date(2026, 8, 17), True),
        (date(2026, 12, 18), True),
        (date(2026, 12, 19), False),
        (date(2027, 1, 5), True),
        (date(2027, 6, 5), False),
    ],
)
def test_both_ends_of_a_term_belong_to_it(today: date, running: bool) -> None:
    assert in_session(YEAR, today) is running


def test_no_terms_no_session_and_no_next_term() -> None:
    assert not in_session((), date(2026, 10, 1))
    assert next_term((), date(2026, 10, 1)) is None


def test_the_next_term_is_the_nearest_that_has_not_begun() -> None:
    assert next_term(YEAR, date(2026, 7, 1)) == date(2026, 8, 17)
    assert next_term(tuple(reversed(YEAR)), date(2026, 7, 1)) == date(2026, 8, 17)
    assert next_term(YEAR, date(2026, 8, 17)) == date(2027, 1, 5)
    assert next_term(YEAR, date(2027, 1, 5)) is None


@pytest.mark.parametrize(
    ("today", "year"),
    [
        (date(2026, 5, 31), "2025-2026"),
        (date(2026, 6, 1), None),
        (date(2026, 8, 31), None),
        (date(2026, 9, 1), "2026-2027"),
        (date(2026, 12, 31), "2026-2027"),
        (date(2027, 1, 1), "2026-2027"),
    ],
)
def test_the_school_year_is_clear_outside_of_summer_only(today: date, year: str | None) -> None:
    assert school_year(today) == year
