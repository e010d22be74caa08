from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch.alerts import render
from rosterwatch.cause import Scope, Severity
from rosterwatch.causes import CAUSES, NETWORK
from rosterwatch.incidents import Fleet, Problem, Rules, Unread, claim, delivered
from rosterwatch.notices import reconcile
from tests.unit.boards import FLEET, HOUR, LINKS, MINUTE, Desk, Sick, broken, nothing_muted
from tests.unit.observations import AT, HEALTHY, diagnosis_of

HOST = "sis.example.org"
SHARED = sorted(name for name, cause in CAUSES.items() if cause.scope is Scope.HOST)


def sick(*names: str, host: str = HOST) -> list[Sick]:
    """Districts that were healthy an hour ago."""
    districts = [Sick(name, host) for name in names]
    for one in districts:
        one.saw(HEALTHY, AT - HOUR)
    return districts


def only(*targets: str, until: datetime = AT + 1000 * HOUR) -> Callable[[Iterable[str]], bool]:
    return lambda asked: any(target in targets for target in asked)


def down(hosts: int, each: int = 1, at: datetime = AT) -> list[Problem]:
    return [
        broken(f"d{host}-{number}", "unreachable_timeout", at, f"h{host}.example.org")
        for host in range(hosts)
        for number in range(each)
    ]


# -- one incident for one cause ------------------------------------------------------------------------------------------------


def test_a_district_that_breaks_is_one_incident_with_one_notice_and_one_at_its_end() -> None:
    desk, [one] = Desk(), sick("springfield")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    assert [incident.key for incident in desk.open] == ["district/springfield/20261006T140500Z"]
    desk.look([one.recovered(AT + HOUR)], AT + HOUR)
    assert desk.kinds == ["opened district/springfield", "resolved district/springfield"]
    assert desk.open == []
    desk.look([], AT + 2 * HOUR)
    assert len(desk.told) == 2


@pytest.mark.parametrize("cause", SHARED)
def test_districts_that_share_a_host_share_its_incident(cause: str) -> None:
    desk = Desk()
    desk.look([broken(name, cause) for name in ("a", "b", "c")], AT)
    assert desk.kinds == [f"opened host/{HOST}"]
    assert set(desk.open[0].members) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "cause", ["credentials_revoked", "credentials_wrong", "permission_missing", "secret_malformed", "flapping"]
)
def test_what_is_a_districts_own_is_never_shared(cause: str) -> None:
    desk = Desk()
    desk.look([replace(broken(name), cause=cause) for name in ("a", "b")], AT)
    assert desk.kinds == ["opened district/a", "opened district/b"]


def test_a_district_whose_host_is_not_known_has_an_incident_of_its_own() -> None:
    desk = Desk()
    desk.look([broken("a", "unreachable_timeout", host=None)], AT)
    assert desk.kinds == ["opened district/a"]


def test_late_joiners_are_told_of_quietly_and_together() -> None:
    desk, names = Desk(), [f"d{number}" for number in range(10)]
    problems: list[Problem] = []
    for minute, name in enumerate(names):
        problems.append(broken(name, "unreachable_timeout", AT + minute * MINUTE))
        desk.look(problems, AT + minute * MINUTE)
    for minute in range(len(names), 60):
        desk.look(problems, AT + minute * MINUTE)
    assert desk.kinds == [f"opened host/{HOST}", f"updated host/{HOST}"]
    assert desk.told[1][1].at == AT + 15 * MINUTE
    assert desk.told[1][1].record["districts"] == names


def test_a_host_is_over_when_its_last_district_is() -> None:
    desk, districts = Desk(), sick("a", "b")
    first = [one.broke("unreachable_timeout", AT) for one in districts]
    desk.look(first, AT)
    over = districts[0].recovered(AT + HOUR)
    desk.look([over, first[1]], AT + HOUR)
    assert desk.kinds == [f"opened host/{HOST}"]
    desk.look([districts[1].recovered(AT + 2 * HOUR)], AT + 2 * HOUR)
    assert desk.kinds == [f"opened host/{HOST}", f"resolved host/{HOST}"]
    assert desk.told[1][1].record["districts"] == ["a", "b"]


def test_a_district_that_stays_broken_for_its_own_reason_gets_its_own_incident_and_its_host_is_over() -> None:
    desk, [one, other] = Desk(), sick("a", "b")
    desk.look([one.broke("unreachable_timeout", AT), other.broke("unreachable_timeout", AT)], AT)
    later = AT + HOUR
    desk.look([one.broke("credentials_revoked", later), other.recovered(later)], later)
    assert sorted(desk.kinds) == sorted([f"opened host/{HOST}", f"resolved host/{HOST}", "opened district/a"])
    resolved = next(notice for _, notice in desk.told if notice.kind.value == "resolved")
    assert resolved.record["districts"] == ["b"]  # not the one that is still broken
    assert [incident.group for incident in desk.open] == ["district/a"]


def test_the_only_district_of_a_host_takes_its_incident_along_when_the_cause_turns_out_to_be_its_own() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("unreachable_timeout", AT)], AT)
    desk.look([one.broke("credentials_revoked", AT + HOUR)], AT + HOUR)
    assert desk.kinds == [f"opened host/{HOST}", "changed district/a"]
    assert len({incident.key for incident, _ in desk.told}) == 1
    assert desk.told[1][1].record["previous_cause"] == "unreachable_timeout"


def test_a_host_all_of_whose_districts_are_broken_for_reasons_of_their_own_is_over_but_nobody_is_called_healthy() -> None:
    desk, districts = Desk(), sick("a", "b")
    desk.look([one.broke("unreachable_timeout", AT) for one in districts], AT)
    desk.look([one.broke("credentials_revoked", AT + HOUR) for one in districts], AT + HOUR)
    [over] = [(incident, notice) for incident, notice in desk.told if notice.kind.value == "resolved"]
    message = render("text", *over, LINKS)
    assert message.subject == f"RESOLVED 2 districts on {HOST}: this is over"
    assert message.body.startswith("This is over. What is still wrong with a, b is told by itself.\n")


def test_a_district_that_left_its_hosts_incident_and_came_back_still_takes_it_along() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("unreachable_timeout", AT)], AT)
    desk.look([one.recovered(AT + HOUR)], AT + HOUR)
    desk.look([one.broke("unreachable_timeout", AT + HOUR + 10 * MINUTE)], AT + HOUR + 10 * MINUTE)
    desk.look([one.broke("credentials_revoked", AT + 2 * HOUR)], AT + 2 * HOUR)
    assert desk.kinds[-1] == "changed district/a"
    assert len({incident.key for incident, _ in desk.told}) == 1


def test_a_district_with_an_incident_of_its_own_says_nothing_of_its_hosts_outage() -> None:
    desk, [one, other] = Desk(), sick("a", "b")
    revoked = one.broke("credentials_revoked", AT)
    desk.look([revoked], AT)
    desk.look([one.broke("unreachable_timeout", AT + HOUR), other.broke("unreachable_timeout", AT + HOUR)], AT + HOUR)
    desk.look([one.problem or revoked, other.recovered(AT + 2 * HOUR)], AT + 2 * HOUR)
    desk.look([one.broke("credentials_revoked", AT + 2 * HOUR + MINUTE)], AT + 2 * HOUR + MINUTE)
    desk.look([one.recovered(AT + 3 * HOUR)], AT + 3 * HOUR)
    assert [kind for kind in desk.kinds if "district" in kind] == ["opened district/a", "resolved district/a"]
    assert [kind for kind in desk.kinds if "host" in kind] == [f"opened host/{HOST}", f"resolved host/{HOST}"]


def test_a_cause_that_changes_is_told_with_what_it_was_before() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    desk.look([one.broke("permission_missing", AT + MINUTE)], AT + MINUTE)
    assert desk.kinds == ["opened district/a", "changed district/a"]
    assert desk.told[1][1].record["previous_cause"] == "credentials_revoked"


def test_a_host_whose_districts_disagree_about_the_cause_changes_it_no_faster_than_it_updates() -> None:
    desk, districts = Desk(), sick(*"abcd")
    causes = ["unreachable_timeout", "unreachable_refused", "no_answer", "unreachable_dns"]
    for minute in range(120):
        if minute % 4 == 0:
            for number, one in enumerate(districts):
                one.broke(causes[(minute // 4 + number) % 4], AT + minute * MINUTE)
        desk.look([one.problem for one in districts if one.problem], AT + minute * MINUTE)
    times = [notice.at for _, notice in desk.told]
    assert all(later - earlier >= 15 * MINUTE for earlier, later in pairwise(times))


def test_a_host_that_gets_worse_says_so_at_once() -> None:
    desk, [one, other] = Desk(), sick("a", "b")
    slow = one.broke("slow", AT)
    desk.look([slow], AT)
    desk.look([slow, other.broke("unreachable_timeout", AT + MINUTE)], AT + MINUTE)
    assert desk.kinds == [f"opened host/{HOST}", f"changed host/{HOST}"]


# -- the monitor itself --------------------------------------------------------------------------------------------------------


def test_most_of_the_fleet_failing_at_the_network_at_once_is_our_own_fault() -> None:
    desk = Desk(Fleet(10, 5))
    verdict = desk.look(down(4, 2), AT)
    assert verdict.blind
    assert desk.kinds == ["opened monitor"]
    assert set(desk.open[0].members) == {problem.district for problem in down(4, 2)}


@pytest.mark.parametrize(
    ("fleet", "hosts", "each"),
    [(Fleet(4, 4), 4, 1), (Fleet(10, 2), 2, 5), (Fleet(10, 5), 5, 1), (Fleet(12, 8), 4, 3)],
    ids=["four districts", "two hosts", "half of the districts", "half of the hosts"],
)
def test_fewer_than_that_are_blamed_on_their_hosts(fleet: Fleet, hosts: int, each: int) -> None:
    desk = Desk(fleet)
    assert not desk.look(down(hosts, each), AT).blind
    assert desk.kinds == [f"opened host/h{number}.example.org" for number in range(hosts)]


def test_trouble_that_is_not_of_the_network_is_never_ours_however_common() -> None:
    desk = Desk(Fleet(10, 5))
    assert not desk.look([broken(f"d{n}", "server_error", host=f"h{n}") for n in range(10)], AT).blind
    assert not {"server_error", "credentials_revoked", "certificate_expired"} & NETWORK


def test_a_control_page_out_of_reach_is_told_after_a_minute_and_ends_by_itself() -> None:
    desk = Desk(Fleet(10, 5, blind_since=AT))
    assert desk.look([], AT + MINUTE / 2).blind
    assert desk.kinds == []
    desk.look([], AT + MINUTE)
    assert desk.kinds == ["opened monitor"]
    desk.fleet = Fleet(10, 5)
    assert not desk.look([], AT + 20 * MINUTE).blind
    assert desk.kinds == ["opened monitor", "resolved monitor"]


def test_a_control_page_that_was_out_of_reach_for_a_moment_is_never_told() -> None:
    desk = Desk(Fleet(10, 5, blind_since=AT))
    desk.look([], AT + MINUTE / 3)
    desk.fleet = Fleet(10, 5)
    desk.look([], AT + 2 * MINUTE)
    assert desk.kinds == []
    assert desk.open == []


def test_while_we_cannot_see_nobody_is_blamed_and_nobody_is_reminded() -> None:
    desk, [one] = Desk(), sick("a")
    revoked = one.broke("credentials_revoked", AT)
    desk.look([revoked], AT)
    desk.fleet = replace(FLEET, blind_since=AT + HOUR)
    for minute in range(0, 8 * 60, 10):
        desk.look([revoked, *down(3, 3, AT + HOUR)], AT + HOUR + minute * MINUTE)
    assert [kind for kind in desk.kinds if "reminded" not in kind] == ["opened district/a", "opened monitor"]
    assert [kind for kind in desk.kinds if "reminded" in kind] == ["reminded monitor"]


def test_after_we_could_not_see_a_district_is_blamed_only_once_it_had_time_to_be_visited() -> None:
    desk = Desk(Fleet(10, 5))
    problems = down(5, 2)
    desk.look(problems, AT)
    left = problems[:1]
    for minute in range(1, 60):
        desk.look(left, AT + minute * MINUTE)
    assert desk.kinds == ["opened monitor", "resolved monitor", "opened host/h0.example.org"]
    assert desk.told[2][1].at == AT + 31 * MINUTE


def test_one_dead_host_does_not_keep_the_monitor_blind() -> None:
    desk = Desk(Fleet(4, 3, blind_since=AT))
    host = [broken(name, "unreachable_timeout", AT, "h.example.org") for name in ("a", "b")]
    desk.look(host, AT + 2 * MINUTE)
    desk.fleet = Fleet(4, 3)
    assert not desk.look(host, AT + 3 * MINUTE).blind


def test_right_after_we_could_not_see_nothing_is_said_to_have_changed_at_the_network() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("no_answer", AT)], AT)
    timeout = one.broke("unreachable_timeout", AT + HOUR)
    desk.fleet = replace(FLEET, blind_since=AT + HOUR)
    desk.look([timeout], AT + HOUR + MINUTE)
    desk.fleet = FLEET
    for minute in range(2, 40):
        desk.look([timeout], AT + HOUR + minute * MINUTE)
    assert desk.kinds == [f"opened host/{HOST}", "opened monitor", "resolved monitor", f"changed host/{HOST}"]
    assert desk.told[-1][1].at == AT + HOUR + 32 * MINUTE


@pytest.mark.parametrize("group", ["district/a", f"host/{HOST}"])
def test_a_district_that_a_crash_left_in_two_incidents_stays_in_its_own_and_leaves_both_when_it_recovers(group: str) -> None:
    cause = "credentials_revoked" if group == "district/a" else "server_error"
    one, desk = sick("a")[0], Desk()
    desk.look([one.broke(cause, AT)], AT)
    other = replace(desk.incidents[0], key="monitor/1", group="monitor")
    desk.incidents = (other, *desk.incidents)
    desk.look([one.problem] if one.problem else [], AT + MINUTE)
    assert [incident.group for incident in desk.open] == [group]
    desk.incidents = (other, *(incident for incident in desk.incidents if incident.key != "monitor/1"))
    desk.look([one.recovered(AT + HOUR)], AT + HOUR)
    assert desk.open == []


# -- reminders, reopening, what came and went ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cause", "hours"), [("credentials_revoked", 4), ("shrunk", 24)])
def test_what_stays_broken_is_reminded_of_at_its_interval(cause: str, hours: int) -> None:
    desk, problem = Desk(), broken("a", cause)
    for minute in range(0, 3 * hours * 60 + 30, 10):
        desk.look([problem], AT + minute * MINUTE)
    assert desk.kinds == ["opened district/a", *["reminded district/a"] * 3]
    assert [notice.at - AT for _, notice in desk.told] == [number * timedelta(hours=hours) for number in range(4)]
    assert [notice.record["reminder"] for _, notice in desk.told] == [0, 1, 2, 3]


def test_any_other_notice_puts_the_reminder_off() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    changed = one.broke("permission_missing", AT + 3 * HOUR)
    for minute in range(3 * 60, 8 * 60, 10):
        desk.look([changed], AT + minute * MINUTE)
    assert [(notice.kind.value, notice.at - AT) for _, notice in desk.told[1:]] == [("changed", 3 * HOUR), ("reminded", 7 * HOUR)]


@pytest.mark.parametrize(("reminders", "due"), [({}, False), ({Severity.PAGE: HOUR}, True), ({Severity.TICKET: HOUR}, False)])
def test_reminders_can_be_set_and_switched_off(reminders: dict[Severity, timedelta], due: bool) -> None:
    desk = Desk()
    desk.look([broken("a")], AT)
    verdict = reconcile([broken("a")], desk.incidents, FLEET, nothing_muted, AT + 3 * HOUR, rules=Rules(reminders=reminders))
    assert bool(verdict.incidents) is due


def test_what_breaks_again_within_half_an_hour_is_the_same_incident_and_after_it_another() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    desk.look([one.recovered(AT + HOUR)], AT + HOUR)
    desk.look([one.broke("credentials_revoked", AT + HOUR + 29 * MINUTE)], AT + HOUR + 29 * MINUTE)
    desk.look([one.recovered(AT + 2 * HOUR)], AT + 2 * HOUR)
    desk.look([one.broke("credentials_revoked", AT + 3 * HOUR)], AT + 3 * HOUR)
    keys = [incident.key for incident, _ in desk.told]
    assert [notice.kind.value for _, notice in desk.told] == ["opened", "resolved", "opened", "resolved", "opened"]
    assert keys[:4] == [keys[0]] * 4
    assert keys[4] != keys[0]
    assert [notice.number for _, notice in desk.told] == [1, 2, 3, 4, 1]


def test_what_came_and_went_between_two_looks_is_told_whole_and_only_once() -> None:
    desk, [one] = Desk(), sick("a")
    one.broke("credentials_revoked", AT)
    over = one.recovered(AT + 2 * MINUTE)
    for minute in (3, 4, 5):
        desk.look([over], AT + minute * MINUTE)
    assert desk.kinds == ["opened district/a", "resolved district/a"]
    assert [notice.record["cause"] for _, notice in desk.told] == ["credentials_revoked"] * 2
    assert one.problem is not None
    again = one.broke("credentials_revoked", AT + 10 * MINUTE)
    assert again.recovered_at is None
    one.recovered(AT + 12 * MINUTE)
    for minute in (13, 14):
        desk.look([one.problem], AT + minute * MINUTE)
    assert [notice.kind.value for _, notice in desk.told] == ["opened", "resolved", "opened", "resolved"]


def test_a_district_that_recovered_and_broke_again_between_two_looks_is_told_of_once() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    one.recovered(AT + 2 * MINUTE)
    desk.look([one.broke("credentials_revoked", AT + 3 * MINUTE)], AT + 4 * MINUTE)
    over = one.recovered(AT + 5 * MINUTE)
    for minute in (6, 7):
        desk.look([over], AT + minute * MINUTE)
    assert [notice.kind.value for _, notice in desk.told].count("resolved") == 1
    assert [notice.kind.value for _, notice in desk.told].count("opened") == 1


def test_a_problem_whose_end_was_noted_is_handed_back_to_be_forgotten() -> None:
    desk, [one, other] = Desk(), sick("a", "b")
    broke = other.broke("credentials_revoked", AT)
    one.broke("credentials_revoked", AT)
    over = one.recovered(AT + HOUR)
    assert desk.look([over, broke], AT + HOUR).noted == (over,)


# -- mutes ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["district/a", f"host/{HOST}"])
def test_a_mute_holds_back_the_opening_and_the_reminders_and_tells_when_it_ends(target: str) -> None:
    desk, problem = Desk(muted=only(target)), broken("a")
    for hour in range(10):
        desk.look([problem], AT + hour * HOUR)
    assert desk.kinds == []
    assert len(desk.open) == 1
    desk.muted = nothing_muted
    desk.look([problem], AT + 10 * HOUR)
    assert desk.kinds == ["opened district/a"]


def test_a_mute_never_holds_back_the_resolution_of_what_was_told() -> None:
    desk, [one] = Desk(), sick("a")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    desk.muted = only("district/a")
    desk.look([one.recovered(AT + HOUR)], AT + HOUR)
    assert desk.kinds == ["opened district/a", "resolved district/a"]


def test_what_began_and_ended_during_a_mute_is_never_told() -> None:
    desk, [one] = Desk(muted=only("district/a")), sick("a")
    desk.look([one.broke("credentials_revoked", AT)], AT)
    desk.look([one.recovered(AT + HOUR)], AT + HOUR)
    one.broke("credentials_revoked", AT + 3 * HOUR)
    desk.look([one.recovered(AT + 4 * HOUR)], AT + 4 * HOUR)
    desk.muted = nothing_muted
    desk.look([], AT + 5 * HOUR)
    assert desk.kinds == []


def test_a_host_is_silent_if_it_or_every_one_of_its_districts_is() -> None:
    for targets, told in (([f"host/{HOST}"], []), (["district/a", "district/b"], []), (["district/a"], [f"opened host/{HOST}"])):
        desk = Desk(muted=only(*targets))
        desk.look([broken(name, "unreachable_timeout") for name in ("a", "b")], AT)
        assert desk.kinds == told


# -- what cannot be read -------------------------------------------------------------------------------------------------------


def test_a_problem_that_cannot_be_read_is_not_over() -> None:
    desk, problems = Desk(), [broken("a"), broken("b")]
    desk.look(problems, AT)
    verdict = reconcile(problems[:1], desk.incidents, FLEET, nothing_muted, AT + HOUR, unread=Unread(problems=frozenset({"b"})))
    assert verdict.incidents == ()
    assert reconcile(problems[:1], desk.incidents, FLEET, nothing_muted, AT + HOUR).incidents != ()


def test_an_incident_that_cannot_be_read_is_not_written_over() -> None:
    key = "district/a/20261006T140500Z"
    [made] = reconcile([broken("a")], [], FLEET, nothing_muted, AT, unread=Unread(incidents=frozenset({key}))).incidents
    assert made.key == key + "+"


def test_everything_unread_has_its_name_for_the_log() -> None:
    unread = Unread(frozenset({"b", "a"}), frozenset({"district/a/1"}), ("window updates",))
    assert unread.names == ["problem a", "problem b", "incident district/a/1", "window updates"]


# -- sending -------------------------------------------------------------------------------------------------------------------


def test_a_notice_is_pending_until_every_topic_has_it() -> None:
    desk = Desk(accepts=False)
    desk.look([broken("a")], AT)
    incident = desk.incidents[0]
    half = delivered(incident, {1: ["text"]}, ["text", "event"])
    assert half.pending[0].sent == ("text",)
    assert delivered(half, {1: ["event"]}, ["text", "event"]).pending == ()
    claimed = claim(incident, AT + MINUTE)
    assert (claimed.claimed_until, claimed.version) == (AT + MINUTE, incident.version + 1)
    assert (half.claimed_until, half.version) == (None, incident.version + 1)


def test_what_could_not_be_sent_is_not_said_twice_but_what_is_new_is_added_in_order() -> None:
    desk, [one] = Desk(accepts=False), sick("a")
    problem = one.broke("credentials_revoked", AT)
    for hour in range(30):
        desk.look([problem], AT + hour * HOUR)
    assert [notice.kind.value for notice in desk.incidents[0].pending] == ["opened"]
    desk.look([one.recovered(AT + 40 * HOUR)], AT + 40 * HOUR)
    assert [notice.kind.value for notice in desk.incidents[0].pending] == ["opened", "resolved"]


# -- whatever happens ----------------------------------------------------------------------------------------------------------

causes = st.sampled_from(["credentials_revoked", "unreachable_timeout", "server_error", "permission_missing", "shrunk"])
steps = st.lists(st.tuples(st.integers(0, 5), st.none() | causes, st.integers(1, 90), st.booleans()), max_size=25)


@given(steps)
def test_whatever_happens_looking_twice_changes_nothing_and_every_story_is_whole(
    history: list[tuple[int, str | None, int, bool]],
) -> None:
    """``Desk.look`` looks twice each time."""
    districts = [Sick(f"d{number}", f"h{number % 2}") for number in range(6)]
    desk, at = Desk(Fleet(6, 2)), AT
    problems: dict[str, Problem] = {}
    for number, cause, minutes, mute in history:
        at += minutes * MINUTE
        one = districts[number]
        if cause is None and one.name in problems:
            problems[one.name] = one.recovered(at)
        elif cause is not None and (one.state is None or one.state.cause != cause):
            problems[one.name] = one.broke(cause, at)
        desk.muted = only(f"district/{one.name}") if mute else nothing_muted
        for noted in desk.look(list(problems.values()), at).noted:
            del problems[noted.district]
        assert sorted(name for incident in desk.open for name in incident.members) == sorted(problems)
    stories: dict[str, list[str]] = {}
    for incident, notice in desk.told:
        stories.setdefault(incident.key, []).append(notice.kind.value)
    for key, kinds in stories.items():
        ends = [kind for kind in kinds if kind in ("opened", "resolved")]
        assert ends[0] == kinds[0] == "opened"
        assert all(one != other for one, other in pairwise(ends))
        told = next(incident for incident in desk.incidents if incident.key == key)
        assert (ends[-1] == "opened") is (told.is_open and told.announced_at is not None)


def test_nobody_is_told_of_a_note() -> None:
    one = Sick("a")
    assert one.saw(diagnosis_of("between_school_years"), AT) is not None
    assert one.problem is None
