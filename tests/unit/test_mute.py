from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.mute import DAYS, Mute, Window, is_muted, is_target, parse_window, window_covers

LOS_ANGELES, LORD_HOWE, KOLKATA = "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kolkata"
MINUTE = timedelta(minutes=1)
GOOD: dict[str, object] = {"days": ["sat", "sun"], "start": "22:30", "duration_minutes": 90, "zone": LOS_ANGELES}


def window(days: str, start: str, minutes: int, zone: str = LOS_ANGELES, target: str = "all") -> Window:
    fields = {"days": days.split(), "start": start, "duration_minutes": minutes, "zone": zone, "target": target}
    return parse_window("updates", fields)


def local(text: str, zone: str = LOS_ANGELES, fold: int = 0) -> datetime:
    """A wall-clock time somewhere, as a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def edges(one: Window, first: datetime, last: datetime) -> list[datetime]:
    """When the window begins and ends between two times."""
    found, at, inside = [], first, window_covers(one, first)
    while at < last:
        at += MINUTE
        if window_covers(one, at) is not inside:
            inside = not inside
            found.append(at)
    return found


def test_a_window_begins_at_its_minute_and_its_end_is_no_longer_in_it() -> None:
    one = window("tue", "22:30", 90)
    assert edges(one, local("2026-10-06T00:00"), local("2026-10-08T00:00")) == [
        local("2026-10-06T22:30"),
        local("2026-10-07T00:00"),
    ]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    one = window("tue", "23:00", 120)
    assert window_covers(one, local("2026-10-07T00:59"))
    assert not window_covers(one, local("2026-10-06T00:30"))
    assert not window_covers(one, local("2026-10-07T01:00"))


def test_a_window_may_last_for_days() -> None:
    one = window("fri", "18:00", 60 * 60)
    assert edges(one, local("2026-10-08T00:00"), local("2026-10-14T00:00")) == [
        local("2026-10-09T18:00"),
        local("2026-10-12T06:00"),
    ]
    longest = window("fri", "18:00", 7 * 24 * 60)
    assert all(window_covers(longest, local("2026-10-09T18:00") + hour * timedelta(hours=1)) for hour in range(24 * 21))


@pytest.mark.parametrize("zone", [LOS_ANGELES, "Europe/Berlin", KOLKATA, LORD_HOWE, "Pacific/Apia", "UTC", "America/St_Johns"])
def test_a_window_keeps_its_wall_clock_time_all_year_round(zone: str) -> None:
    one = window(" ".join(DAYS), "20:15", 30, zone)
    for day in range(366):
        at = datetime(2026, 1, 1, 20, 15, tzinfo=ZoneInfo(zone)) + day * timedelta(days=1)  # wall-clock days
        assert window_covers(one, at.astimezone(UTC)), at
        assert not window_covers(one, at.astimezone(UTC) - MINUTE), at
        assert window_covers(one, at.astimezone(UTC) + 29 * MINUTE), at
        assert not window_covers(one, at.astimezone(UTC) + 30 * MINUTE), at


def test_a_start_that_the_clocks_skip_comes_later_by_what_they_skip() -> None:
    one = window("sun", "02:30", 60)  # on 8 March 2026 there is no 02:30 in Los Angeles
    assert edges(one, local("2026-03-07T12:00"), local("2026-03-08T12:00")) == [
        local("2026-03-08T03:30"),
        local("2026-03-08T04:30"),
    ]


def test_a_start_that_the_clocks_repeat_is_the_first_of_the_two() -> None:
    one = window("sun", "01:30", 60)  # on 1 November 2026 there are two 01:30 in Los Angeles
    first = local("2026-11-01T01:30")
    assert edges(one, local("2026-10-31T12:00"), local("2026-11-01T12:00")) == [first, first + 60 * MINUTE]
    assert local("2026-11-01T01:30", fold=1) == first + 60 * MINUTE


@pytest.mark.parametrize(
    ("day", "before", "after"),
    [("2026-03-07", -8, -7), ("2026-10-31", -7, -8)],
    ids=["the clocks go forward", "the clocks go back"],
)
def test_a_window_across_a_change_of_the_clocks_lasts_as_long_as_ever(day: str, before: int, after: int) -> None:
    one = window("sat", "23:00", 6 * 60)
    begins = local(f"{day}T23:00")
    assert edges(one, begins - timedelta(hours=5), begins + timedelta(hours=12)) == [begins, begins + timedelta(hours=6)]
    offsets = [at.astimezone(ZoneInfo(LOS_ANGELES)).utcoffset() for at in (begins, begins + timedelta(hours=6))]
    assert offsets == [timedelta(hours=before), timedelta(hours=after)]


def test_half_an_hour_of_daylight_saving_is_no_exception() -> None:
    one = window("sun", "02:15", 30, LORD_HOWE)  # the clocks go from 02:00 to 02:30 on 4 October 2026
    assert edges(one, local("2026-10-03T12:00", LORD_HOWE), local("2026-10-04T12:00", LORD_HOWE)) == [
        local("2026-10-04T02:45", LORD_HOWE),
        local("2026-10-04T03:15", LORD_HOWE),
    ]


windows = st.builds(
    Window,
    st.just("w"),
    st.just("all"),
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=7).map(tuple),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.integers(1, 7 * 24 * 60).map(lambda minutes: minutes * MINUTE),
    st.sampled_from([LOS_ANGELES, LORD_HOWE, KOLKATA, "Pacific/Auckland", "America/St_Johns", "UTC"]),
)


@given(windows, st.integers(0, 2 * 365 * 24 * 60))
def test_a_time_is_in_a_window_if_it_is_within_its_duration_after_any_of_its_starts(one: Window, minutes: int) -> None:
    at, zone = datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE, ZoneInfo(one.zone)
    starts = [
        datetime.combine(day, one.start, zone).astimezone(UTC)
        for day in (at.astimezone(zone).date() + back * timedelta(days=1) for back in range(-9, 2))
        if DAYS[day.weekday()] in one.days
    ]
    assert window_covers(one, at) is any(start <= at < start + one.duration for start in starts)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("days", [], 'field "days" must be a list of mon, tue'),
        ("days", "sat", 'field "days" must be'),
        ("days", ["saturday"], 'field "days" must be'),
        ("days", [["sat"]], 'field "days" must be'),
        ("days", None, 'field "days" must be'),
        ("start", "25:00", 'field "start" must be a time of day such as "22:30"'),
        ("start", "22:30+01:00", 'field "start" must be'),
        ("start", 22.5, 'field "start" must be'),
        ("start", None, 'field "start" must be'),
        ("duration_minutes", 0, 'field "duration_minutes" must be a number of minutes, at most seven days'),
        ("duration_minutes", 7 * 24 * 60 + 1, 'field "duration_minutes" must be'),
        ("duration_minutes", True, 'field "duration_minutes" must be'),
        ("duration_minutes", "60", 'field "duration_minutes" must be'),
        ("zone", "California", 'field "zone" must be an IANA time zone such as "America/Los_Angeles"'),
        ("zone", "", 'field "zone" must be'),
        ("zone", "../../etc/passwd", 'field "zone" must be'),
        ("zone", "/etc/localtime", 'field "zone" must be'),
        ("zone", "a\0b", 'field "zone" must be'),
        ("zone", "America", 'field "zone" must be'),
        ("zone", None, 'field "zone" must be'),
        ("target", "springfield", 'field "target" must be "all", "host/<host>" or "district/<name>"'),
        ("target", "host/", 'field "target" must be'),
        ("target", 7, 'field "target" must be'),
    ],
)
def test_a_bad_window_is_refused_with_the_field_and_the_fix(field: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match="^" + said):
        parse_window("updates", {**GOOD, field: value})


def test_a_good_window_is_read_whole() -> None:
    read = parse_window("updates", {**GOOD, "target": "host/sis.example.org", "reason": "the weekly update"})
    assert read == Window(
        "updates", "host/sis.example.org", ("sat", "sun"), time(22, 30), 90 * MINUTE, LOS_ANGELES, "the weekly update"
    )


def test_a_mute_counts_until_its_end_and_only_for_its_target_or_for_all() -> None:
    now = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)
    one = Mute("district/springfield", now + MINUTE, "a move", "robin")
    assert is_muted(["district/springfield"], [one], [], now)
    assert not is_muted(["district/springfield"], [one], [], now + MINUTE)
    assert not is_muted(["district/shelbyville", "host/sis.example.org"], [one], [], now)
    assert is_muted(["monitor"], [Mute("all", now + MINUTE, "", "robin")], [], now)
    assert is_muted(["host/sis.example.org"], [], [window("tue", "07:00", 60, target="host/sis.example.org")], now)
    assert not is_muted(["host/sis.example.org"], [], [], now)


@pytest.mark.parametrize(
    ("target", "good"),
    [("all", True), ("host/a", True), ("district/a/b", True), ("host/", False), ("district", False), ("", False), ("All", False)],
)
def test_a_target_is_all_a_host_or_a_district(target: str, good: bool) -> None:
    assert is_target(target) is good
