"""What goes wrong in one simulated run, drawn from its seed before it begins: the truth that the alerts are held against."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rosterwatch.mute import DAYS, EVERYTHING, Mute, Window, window_covers

START: Final = datetime(2026, 10, 30, 6, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
HOST_CAUSES: Final = (
    "unreachable_timeout",
    "unreachable_refused",
    "unreachable_dns_failing",
    "server_error",
    "certificate_expired",
)
OWN_CAUSES: Final = ("credentials_revoked", "credentials_wrong", "permission_missing", "everything_empty", "login_page", "shrunk")
PASSING: Final = ("unreachable_reset", "login_page", "not_oneroster", "no_answer")


@dataclass(frozen=True)
class Trouble:
    """One cause at one host or district for a time. ``period``: it comes and goes with it."""

    target: str
    cause: str
    begins: datetime
    ends: datetime
    period: timedelta | None = None

    def is_on(self, at: datetime) -> bool:
        """Whether a visit at this time finds it."""
        if not self.begins <= at < self.ends:
            return False
        return self.period is None or int((at - self.begins) / self.period) % 2 == 0


@dataclass(frozen=True)
class Blindness:
    """Our own network is down for a time. ``control``: the control page is asked, and cannot be reached either."""

    begins: datetime
    ends: datetime
    control: bool


@dataclass(frozen=True)
class Odds:
    """How often what surrounds us fails: a share of all calls."""

    crash: float = 0.0
    throttle: float = 0.0
    lost_answer: float = 0.0
    refusal: float = 0.0
    interleave: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    vanish: float = 0.0

    @property
    def is_calm(self) -> bool:
        """Whether nothing of it ever happens."""
        return not any((self.crash, self.throttle, self.lost_answer, self.refusal, self.vanish, self.delay))


@dataclass
class Plan:
    """Everything of a run that chance decides beforehand."""

    seed: int
    hosts: dict[str, str]
    hours: int
    troubles: list[Trouble] = field(default_factory=list)
    blindness: list[Blindness] = field(default_factory=list)
    mutes: list[tuple[datetime, Mute]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    refusing: list[tuple[datetime, datetime]] = field(default_factory=list)
    steps: list[tuple[datetime, timedelta]] = field(default_factory=list)
    odds: Odds = field(default_factory=Odds)
    control_url: str = "https://control.example.org/"

    @property
    def ends(self) -> datetime:
        """When all that goes wrong is over."""
        return START + timedelta(hours=self.hours)

    def blind(self, at: datetime) -> Blindness | None:
        """Whether we can see nothing at this time, for reasons of our own."""
        return next((one for one in self.blindness if one.begins <= at < one.ends), None)

    def cause(self, district: str, at: datetime) -> str | None:
        """What a visit finds."""
        if self.blind(at):
            return "unreachable_timeout"
        for target in (f"host/{self.hosts[district]}", f"district/{district}"):
            for trouble in self.troubles:
                if trouble.target == target and trouble.is_on(at):
                    return trouble.cause
        return None

    def is_muted(self, target: str, at: datetime) -> bool:
        """Whether a target by itself, or everything, is muted; mutes count from when they were set."""
        return any(
            mute.target in (target, EVERYTHING) and since <= at < mute.until for since, mute in self.current_mutes(at)
        ) or any(window.target in (target, EVERYTHING) and window_covers(window, at) for window in self.windows)

    def current_mutes(self, at: datetime) -> list[tuple[datetime, Mute]]:
        """The mutes as the table holds them: a later one of the same target replaces the one before."""
        latest = {mute.target: (since, mute) for since, mute in sorted(self.mutes, key=lambda one: one[0]) if since <= at}
        return list(latest.values())


def draw(seed: int) -> Plan:
    """The plan of a seed. The same seed is the same plan for ever on one version of this file."""
    return _Draw(seed).plan


class _Draw:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        districts, hosts, hours = self.chance.randint(4, 16), self.chance.randint(2, 6), self.chance.randint(6, 14)
        self.names = [f"d{number:02}" for number in range(districts)]
        self.plan = Plan(seed, {name: f"h{self.chance.randrange(hosts)}.example.org" for name in self.names}, hours)
        self.places = sorted(set(self.plan.hosts.values()))
        self.targets = [f"host/{host}" for host in self.places] + [f"district/{name}" for name in self.names]
        self._troubles()
        self._silence()
        self._surroundings()

    def _troubles(self) -> None:
        chance, places, names = self.chance, self.places, self.names
        for _ in range(chance.randint(0, 3)):
            self._trouble(f"host/{chance.choice(places)}", chance.choice(HOST_CAUSES), self._span(5, 400))
        for _ in range(chance.randint(0, 4)):
            self._trouble(f"district/{chance.choice(names)}", chance.choice(OWN_CAUSES), self._span(10, 500))
        for _ in range(chance.randint(0, 4)):  # shorter than it takes to be looked at twice
            self._trouble(chance.choice(self.targets), chance.choice(PASSING), self._span(1, 2))
        for _ in range(chance.randint(0, 2)):
            period = self._span(9, 40)
            self._trouble(f"district/{chance.choice(names)}", chance.choice(PASSING), self._span(90, 400), period)
        if chance.random() < 0.35:
            begins = self._moment(0.3)
            control = chance.random() < 0.6
            self.plan.blindness.append(Blindness(begins, min(begins + self._span(3, 150), self.plan.ends), control=control))
            self.plan.control_url = self.plan.control_url if control else ""

    def _silence(self) -> None:
        chance, targets = self.chance, [EVERYTHING, *self.targets]
        for _ in range(chance.randint(0, 3)):
            since = self._moment(0.2)
            self.plan.mutes.append((since, Mute(chance.choice(targets), since + self._span(10, 300), "an update", "robin")))
        if chance.random() < 0.3:
            zone = chance.choice(("America/Los_Angeles", "Pacific/Auckland", "UTC"))
            local = self._moment(0.3).astimezone(ZoneInfo(zone)).time().replace(second=0, microsecond=0)
            self.plan.windows.append(Window("night", chance.choice(targets), DAYS, local, self._span(30, 200), zone))

    def _surroundings(self) -> None:
        chance = self.chance
        for _ in range(chance.randint(0, 2)):
            begins = self._moment(0.1)
            self.plan.refusing.append((begins, begins + self._span(2, 120)))
        if chance.random() < 0.25:
            self.plan.steps.append((self._moment(), timedelta(seconds=chance.randint(-600, 600))))
        if chance.random() < 0.75:
            self.plan.odds = Odds(
                crash=chance.choice((0.0, 0.002, 0.01)),
                throttle=chance.choice((0.0, 0.005, 0.03)),
                lost_answer=chance.choice((0.0, 0.005)),
                refusal=chance.choice((0.0, 0.02, 0.2)),
                interleave=chance.choice((0.0, 0.02)),
                duplicate=chance.choice((0.0, 0.05, 0.3)),
                delay=chance.choice((0.0, 0.2)),
                vanish=chance.choice((0.0, 0.02)),
            )

    def _moment(self, spare: float = 0.0) -> datetime:
        return START + timedelta(minutes=self.chance.randrange(20, int(self.plan.hours * 60 * (1 - spare)) - 10))

    def _span(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.chance.randint(least, most))

    def _trouble(self, target: str, cause: str, length: timedelta, period: timedelta | None = None) -> None:
        begins = self._moment()
        self.plan.troubles.append(Trouble(target, cause, begins, min(begins + length, self.plan.ends), period))
