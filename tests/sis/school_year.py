"""School years: which database is the default, which terms it holds, and whether pupils are enrolled today.

Aeries keeps one database a school year; the New Year Rollover makes the next one the default (reference 1.10). Between
terms it lists no pupil, because it lists only those with a current enrolment (reference 0.6).
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta


@dataclass(frozen=True)
class Calendar:
    """What the default database says about the year.

    `year` is the year it starts in ("2026-2027" is 2026). `starts` and `ends` bound its terms. `lists_terms` is false
    in the gap, when `/terms` is empty; `/academicSessions` and the schools of the v5 API still tell the dates.
    """

    name: str
    year: int
    starts: date
    ends: date
    enrolled: bool = True
    lists_terms: bool = True

    @property
    def database_year(self) -> str:
        return f"{self.year}-{self.year + 1}"

    @property
    def middle(self) -> date:
        """The first day of the spring term."""
        return self.starts + (self.ends - self.starts) / 2

    def shifted(self, years: int) -> "Calendar":
        """The same dates that many years later, `year` left as it is: the terms disagree with the database."""
        days = timedelta(days=365 * years)
        return replace(self, starts=self.starts + days, ends=self.ends + days)


def in_session(today: date) -> Calendar:
    """School is in: today lies well inside the year, whatever day a test runs on."""
    year = today.year if today.month >= 7 else today.year - 1
    starts = min(date(year, 8, 12), max(date(year, 7, 1), today - timedelta(days=10)))
    ends = max(date(year + 1, 6, 5), today + timedelta(days=10))
    return Calendar("in_session", year, starts, ends)


def summer(today: date) -> Calendar:
    """The year ended three weeks ago and nobody has rolled over: no pupil, no enrolment, no current term."""
    ends = today - timedelta(days=21)
    starts = ends - timedelta(days=297)
    return Calendar("summer", starts.year, starts, ends, enrolled=False, lists_terms=False)


def rolled_over(today: date) -> Calendar:
    """After the rollover, before the first day: next year's database, its terms all still to come, nobody enrolled."""
    starts = today + timedelta(days=40)
    return Calendar("rolled_over", starts.year, starts, starts + timedelta(days=297), enrolled=False)


def last_year(today: date) -> Calendar:
    """School is in, but the default database is still last year's: every term lies in the past."""
    now = in_session(today)
    return replace(now.shifted(-1), name="last_year", year=now.year - 1)


CALENDARS = {"in_session": in_session, "summer": summer, "rolled_over": rolled_over, "last_year": last_year}
