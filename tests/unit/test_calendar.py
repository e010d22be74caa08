from __future__ import annotations

from datetime import date

import pytest

from rosterwatch.calendar import Season, in_session, next_term, remembered, school_year, season
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


def test_a_remembered_calendar_tells_of_the_summer_after_it_and_of_nothing_later() -> None:
    assert remembered(YEAR, date(2027, 7, 10)) == YEAR
    assert remembered(YEAR, date(2027, 8, 18)) == YEAR
    assert remembered(YEAR, date(2027, 8, 19)) == ()
    assert remembered((), date(2027, 7, 10)) == ()


@pytest.mark.parametrize(
    ("today", "database_year", "found"),
    [
        (date(2026, 10, 1), "2026-2027", Season.IN_SESSION),
        (date(2026, 10, 1), "2025-2026", Season.IN_SESSION),  # a term that is running settles it
        (date(2026, 12, 25), "2026-2027", Season.OUT),
        (date(2027, 7, 10), "2026-2027", Season.OUT),
        (date(2027, 9, 1), "2026-2027", Season.WRONG_DATABASE),
        (date(2027, 10, 1), "2027-2028", Season.WRONG_TERMS),
        (date(2027, 10, 1), None, Season.WRONG_TERMS),
        (date(2026, 4, 1), "2025-2026", Season.WRONG_TERMS),
        (date(2026, 4, 1), "2026-2027", Season.WRONG_DATABASE),
        (date(2026, 7, 1), "2026-2027", Season.OUT),
    ],
)
def test_the_season_is_what_terms_and_database_say_together(today: date, database_year: str | None, found: Season) -> None:
    assert season(YEAR, today, database_year) is found


def test_without_terms_only_the_year_of_the_database_can_tell() -> None:
    assert season((), date(2026, 10, 1), "2026-2027") is Season.UNKNOWN
    assert season((), date(2026, 10, 1), "2025-2026") is Season.WRONG_DATABASE
    assert season((), date(2026, 7, 1), "2025-2026") is Season.UNKNOWN
