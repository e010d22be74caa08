from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rosterwatch.digest import digest
from rosterwatch.incidents import Incident

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def incident(group: str, cause: str, hours: float, members: int = 1, *, is_over: bool = False) -> Incident:
    names = {f"district-{number}": 1 for number in range(members)} if group.startswith("host/") else {group.partition("/")[2]: 1}
    return Incident(
        f"{group}/1",
        group,
        NOW - timedelta(hours=hours),
        cause,
        members=names,
        resolved_at=NOW if is_over else None,
        record={"headline": f"headline of {cause}"},
    )


def test_a_quiet_fleet_is_told_in_a_sentence() -> None:
    message = digest([], 12, NOW)
    assert message.subject == "Rosterwatch: all 12 districts healthy"
    assert message.body == "Rosterwatch: all 12 districts healthy, 2026-11-24 14:00 UTC.\n"
    assert message.attributes["kind"] == "digest"


def test_what_is_failing_comes_with_how_long_and_whose_move_it_is_pages_first() -> None:
    message = digest(
        [
            incident("district/ogdenville", "shrunk", 50),
            incident("host/sis.example.org", "unreachable_timeout", 1.5, members=3),
            incident("district/springfield", "credentials_revoked", 26),
            incident("district/capital", "credentials_revoked", 3, is_over=True),
        ],
        40,
        NOW,
    )
    assert message.subject == "Rosterwatch: 5 of 40 districts need attention"
    lines = message.body.splitlines()
    assert lines[2] == "Needs attention"
    assert lines[3:] == [
        "  springfield: headline of credentials_revoked",
        "    for 1 d 2 h; whose move: district administrator",
        "  3 on sis.example.org: headline of unreachable_timeout",
        "    for 1 h 30 min; whose move: network",
        "  ogdenville: headline of shrunk",
        "    for 2 d 2 h; whose move: district administrator; ticket",
    ]


def test_what_expires_soon_is_no_failure_and_has_a_place_of_its_own() -> None:
    message = digest([incident("host/sis.example.org", "certificate_expiring", 24)], 3, NOW)
    assert message.subject == "Rosterwatch: all 3 districts healthy"
    assert "Expires soon\n  1 on sis.example.org: headline of certificate_expiring" in message.body


def test_a_digest_of_thousands_fits_into_a_message_and_counts_the_rest() -> None:
    many = [incident(f"district/d{number}", "credentials_wrong", 1) for number in range(5000)]
    message = digest(many, 6000, NOW)
    assert len(message.body.encode()) < 200_000
    assert message.body.endswith("  and 4800 more\n")
    assert len(message.subject) <= 100
