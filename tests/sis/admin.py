"""The district administrator's side: what a person does on Aeries' own pages, as plain method calls.

Names of pages and boxes are those of the guide administrators follow. Every method may be called from any thread and
returns something JSON can hold, so that the control API offers the same verbs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from tests.sis.school_year import CALENDARS, Calendar

if TYPE_CHECKING:
    from tests.sis.district import District

# The boxes of the guide, read column. "Grading Periods" is not in the guide; the endpoint table asks for it (reference
# 1.4), so a careful administrator ticks it too.
GUIDE_BOXES = ("Student Data", "Teacher Data", "Master Schedule", "Course Data", "Classes", "Schools", "Terms", "Users")
BOXES = (*GUIDE_BOXES, "Grading Periods")

# What each collection needs (reference 1.4). The rows of /terms, /teachers and /users are inferred there.
BOXES_FOR: dict[str, frozenset[str]] = {
    "orgs": frozenset({"Schools"}),
    "schools": frozenset({"Schools"}),
    "academicSessions": frozenset({"Terms"}),
    "terms": frozenset({"Terms"}),
    "gradingPeriods": frozenset({"Terms", "Grading Periods"}),
    "courses": frozenset({"Course Data"}),
    "classes": frozenset({"Master Schedule"}),
    "users": frozenset({"Student Data", "Teacher Data", "Users"}),
    "students": frozenset({"Student Data"}),
    "teachers": frozenset({"Teacher Data"}),
    "enrollments": frozenset({"Classes"}),
    "demographics": frozenset({"Student Data"}),
}


@dataclass(eq=False)
class VendorRecord:
    """A line on Security > API Security. Its credentials never change: to renew them is to delete and recreate it.

    Shapes (reference 1.3): consumer id and secret are 64 lower-case hexadecimal characters, the certificate is 32.
    """

    product: str
    consumer_id: str
    consumer_secret: str
    certificate: str
    oneroster: bool = True
    boxes: frozenset[str] = frozenset(BOXES)

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "consumer_id": self.consumer_id,
            "consumer_secret": self.consumer_secret,
            "api_certificate": self.certificate,
        }


class Admin:
    """One district's administrator. `today` is the real date: a monitor compares terms with its own clock."""

    def __init__(self, district: "District") -> None:
        self._district = district

    def create_record(self, product: str = "Incident IQ", oneroster: bool = True, boxes: Iterable[str] = BOXES) -> dict[str, str]:
        """Add a record on API Security. The newest one is what `District.credentials` shows."""
        district = self._district
        ticked = self._known(boxes)
        record = VendorRecord(product, district.hexadecimal(64), district.hexadecimal(64), district.hexadecimal(32))
        record.oneroster, record.boxes = oneroster, ticked
        district.ledger.watch(f"{district.name}.consumer_secret", record.consumer_secret)
        district.ledger.watch(f"{district.name}.api_certificate", record.certificate)
        district.records = (*district.records, record)
        return record.credentials

    def delete_record(self) -> None:
        """Delete the newest record. The tokens it was given live on until they expire (reference 0, design)."""
        district = self._district
        district.records = district.records[:-1]

    def recreate_record(self, boxes: Iterable[str] = BOXES) -> dict[str, str]:
        """Delete and add again: new credentials, the old ones refused from this moment, the boxes ticked anew."""
        product = self._district.record.product
        self.delete_record()
        return self.create_record(product, boxes=boxes)

    def tick_oneroster(self) -> None:
        """Change > OneRoster > Update."""
        self._district.record.oneroster = True

    def untick_oneroster(self) -> None:
        """Whether new tokens or data are refused then is `Settings.unticked_refuses`."""
        self._district.record.oneroster = False

    def tick(self, *boxes: str) -> None:
        """Grant permissions; there is no Save button, they count at once."""
        self._district.record.boxes |= self._known(boxes)

    def untick(self, *boxes: str) -> None:
        self._district.record.boxes -= self._known(boxes)

    def enable_oneroster(self) -> None:
        """School Options > OneRoster Settings > Enable. Takes effect when the application pool is recycled."""
        self._district.oneroster_option = True

    def disable_oneroster(self) -> None:
        """Takes effect when the application pool is recycled."""
        self._district.oneroster_option = False

    def recycle_app_pool(self) -> None:
        """Restart the application in IIS: options take effect, tokens and sessions are gone."""
        district = self._district
        district.oneroster_enabled = district.oneroster_option
        for node in district.nodes:
            node.forget()

    def expire_tokens(self) -> None:
        """Let every token end now."""
        for node in self._district.nodes:
            node.tokens = {}

    def let_time_pass(self, seconds: float) -> None:
        """Age tokens and codes, as if so much time had gone by. Terms and the Date header stay where they are."""
        self._district.aged += seconds

    def set_calendar(self, name: str) -> None:
        """One of `in_session`, `summer`, `rolled_over`, `last_year`."""
        self.use_calendar(CALENDARS[name](self._today()))

    def use_calendar(self, calendar: Calendar) -> None:
        self._district.calendar = calendar

    def roll_over(self) -> str:
        """New Year Rollover: next year's database becomes the default, its terms to come, nobody enrolled yet.

        Returns the new default database's year.
        """
        district = self._district
        year = district.calendar.year + 1
        district.past_years = (district.calendar.database_year, *district.past_years)
        self.use_calendar(replace(CALENDARS["rolled_over"](self._today()), year=year))
        return district.calendar.database_year

    def set_students(self, students: int) -> None:
        """Grow or shrink the district: everything follows from its number of pupils."""
        self._district.school = replace(self._district.school, students=students)

    def change_settings(self, **changes: object) -> None:
        """Change fields of `District.settings` by name."""
        self._district.settings = self._district.settings.changed(**changes)

    @staticmethod
    def _known(boxes: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(boxes)
        if unknown := wanted - set(BOXES):
            raise ValueError(f"no such box: {', '.join(sorted(unknown))}; there are {', '.join(BOXES)}")
        return wanted

    @staticmethod
    def _today() -> date:
        return datetime.now(UTC).date()
