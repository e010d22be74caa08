"""Generated school data, in the shape Aeries gives it (reference 1.6 and 3.6). Nobody in it exists.

Nothing is stored: every collection is a length and a function from a position to its record, so a district of a hundred
thousand pupils costs as much memory as one of ten, and the same seed always tells the same story.

Everything that must never leave a monitor carries a mark that occurs nowhere else; `PLANTED` lists the marks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from random import Random

from tests.sis.school_year import Calendar

Record = dict[str, object]

FAMILY_MARK = "Zzyzxroster"  # in every family name
GIVEN_MARK = "Qwyxte"  # in every given name
MAIL_MARK = "zzyzxroster.example"  # the domain of every e-mail address and user name
PHONE_MARK = "555-0142"  # in every telephone number
NUMBER_MARK = "77310"  # every pupil's number begins with it, so every pupil's sourcedId holds it
BIRTH_MARK = "1811-"  # every birth date is in this year
PLANTED = (FAMILY_MARK, GIVEN_MARK, MAIL_MARK, PHONE_MARK, f"STU_{NUMBER_MARK}", BIRTH_MARK)

COLLECTIONS = ("orgs", "schools", "academicSessions", "terms", "gradingPeriods", "courses", "classes", "users",
               "students", "teachers", "enrollments", "demographics")  # fmt: skip

# OneRoster 1.1 names the list after the kind of thing, not after the path (reference 3.2).
ENVELOPES = {name: name for name in COLLECTIONS} | {
    "schools": "orgs", "terms": "academicSessions", "gradingPeriods": "academicSessions",
    "students": "users", "teachers": "users",
}  # fmt: skip
SINGLES = {"orgs": "org", "academicSessions": "academicSession", "courses": "course", "classes": "class",
           "users": "user", "enrollments": "enrollment", "demographics": "demographics"}  # fmt: skip

# Code, name, elementary. The district itself is org "0"; the codes are those of Aeries' demo (reference 1.3).
SCHOOLS = ((990, "Made-Up Elementary", True), (991, "Pretend Elementary", True),
           (993, "Invented Middle", False), (994, "Imaginary High", False))  # fmt: skip
SUBJECTS = (
    "Algebra",
    "Biology",
    "Chemistry",
    "Civics",
    "English",
    "Geometry",
    "History",
    "Music",
    "Physics",
    "Welding",
)

_ELEMENTARY = 2  # the first two
_MODIFIED = "2026-05-01T05:00:20.097Z"


@dataclass(frozen=True)
class Rows:
    """A collection: how many records it holds, and how to make the one at a position."""

    total: int
    make: Callable[[int], Record]

    def page(self, offset: int, limit: int) -> list[Record]:
        return [self.make(position) for position in range(offset, min(offset + limit, self.total))]

    def __iter__(self) -> Iterator[Record]:
        return (self.make(position) for position in range(self.total))


EMPTY = Rows(0, lambda _: {})


def _base(sourced_id: str) -> Record:
    return {"sourcedId": sourced_id, "status": "active", "dateLastModified": _MODIFIED, "metadata": None}


def _reference(kind: str, path: str, sourced_id: str) -> Record:
    # Aeries' hrefs begin with "~/": whoever follows one has not read what it says.
    return {"href": f"~/ims/oneroster/v1p1/{path}/{sourced_id}", "sourcedId": sourced_id, "type": kind}


@dataclass(frozen=True)
class School:
    """The data of one district. `students` is how many pupils it has; everything else follows from it."""

    name: str
    seed: int = 0
    students: int = 240

    @cached_property
    def _words(self) -> tuple[str, ...]:
        random = Random(f"{self.seed}/{self.name}")
        return tuple("".join(random.choices("bdfgklmnprst", k=1) + random.choices("aeiou", k=1)) * 2 for _ in range(97))

    @property
    def teachers(self) -> int:
        """How many; a multiple of the number of schools, so that a pupil, the class and its teacher share a school."""
        return len(SCHOOLS) * max(1, self.students // (20 * len(SCHOOLS)))

    def collection(self, name: str, calendar: Calendar) -> Rows:
        """All records of a collection under a calendar."""
        if name in ("students", "enrollments") and not calendar.enrolled:
            return EMPTY
        if name in ("terms", "gradingPeriods") and not calendar.lists_terms:
            return EMPTY
        secondary = len(SCHOOLS) - _ELEMENTARY
        terms = self._terms(calendar)
        periods = [self._period(session, quarter) for session in terms if session["_half"] for quarter in (1, 2)]
        enrolled = self.students if calendar.enrolled else 0
        classes = self.teachers
        return {
            "orgs": Rows(len(SCHOOLS) + 1, self._org),
            "schools": Rows(len(SCHOOLS), lambda n: self._org(n + 1)),
            "academicSessions": Rows(len(terms), lambda n: _visible(terms[n])),
            "terms": Rows(len(terms), lambda n: _visible(terms[n])),
            "gradingPeriods": Rows(len(periods), lambda n: _visible(periods[n])),
            "courses": Rows(len(SUBJECTS) * secondary + classes // 2, self._course),
            "classes": Rows(classes, self._class),
            "students": Rows(enrolled, self._student),
            "teachers": Rows(self.teachers, self._teacher),
            "users": Rows(
                enrolled + self.teachers,
                lambda n: self._student(n) if n < enrolled else self._teacher(n - enrolled),
            ),
            # All pupils come before all teachers: a first page can hold pupils only (reference 1.5).
            "enrollments": Rows(
                enrolled + classes,
                lambda n: self._enrollment(n, "student") if n < enrolled else self._enrollment(n - enrolled, "teacher"),
            ),
            "demographics": Rows(enrolled, self._demographics),
        }[name]

    def v5_schools(self, calendar: Calendar, terms: bool) -> list[Record]:
        """`GET /api/v5/schools` of the regular Aeries API (reference 1.9)."""
        return [
            {
                "SchoolCode": code, "Name": name, "InactiveStatusCode": "", "LowGradeLevel": 0 if elementary else 7,
                "HighGradeLevel": 6 if elementary else 12,
                "Terms": [
                    {"TermCode": str(row["_code"]), "TermDescription": row["title"],
                     "StartDate": f"{row['startDate']}T00:00:00", "EndDate": f"{row['endDate']}T00:00:00"}
                    for row in self._terms(calendar) if terms and row["_school"] == code
                ],
            }
            for code, name, elementary in SCHOOLS
        ]  # fmt: skip

    def _org(self, position: int) -> Record:
        if position == 0:
            children = [_reference("org", "orgs", str(code)) for code, _, _ in SCHOOLS]
            return {"name": f"{self.name.title()} Unified School District", "type": "district", "identifier": None,
                    "parent": None, "children": children, **_base("0")}  # fmt: skip
        code, name, _ = SCHOOLS[position - 1]
        return {"name": name, "type": "school", "identifier": str(code), "parent": _reference("org", "orgs", "0"),
                "children": None, **_base(str(code))}  # fmt: skip

    def _terms(self, calendar: Calendar) -> list[Record]:
        rows: list[Record] = []
        for code, _, elementary in SCHOOLS:
            spans: list[tuple[str, str, date, date]] = [("Y", "Year", calendar.starts, calendar.ends)]
            if not elementary:
                eve = calendar.middle - timedelta(days=1)
                spans += [("F", "Fall", calendar.starts, eve), ("S", "Spring", calendar.middle, calendar.ends)]
            for term, title, starts, ends in spans:
                rows.append({"title": title, "startDate": starts.isoformat(), "endDate": ends.isoformat(),
                             "type": "term", "parent": None, "children": None, "schoolYear": str(calendar.year + 1),
                             **_base(f"{code}_{term}"), "_code": term, "_school": code, "_half": term in "FS",
                             "_starts": starts, "_ends": ends})  # fmt: skip
        return rows

    def _period(self, session: Record, quarter: int) -> Record:
        starts, ends = session["_starts"], session["_ends"]
        assert isinstance(starts, date)
        assert isinstance(ends, date)
        middle = starts + (ends - starts) / 2
        first, last = (starts, middle - timedelta(days=1)) if quarter == 1 else (middle, ends)
        parent = str(session["sourcedId"])
        return {"title": f"{session['title']} quarter {quarter}", "startDate": first.isoformat(),
                "endDate": last.isoformat(), "type": "gradingPeriod", "children": None,
                "parent": _reference("academicSession", "academicSessions", parent),
                "schoolYear": session["schoolYear"], **_base(f"{parent}_{quarter}")}  # fmt: skip

    def _course(self, position: int) -> Record:
        secondary = len(SUBJECTS) * (len(SCHOOLS) - _ELEMENTARY)
        if position < secondary:
            code, _, _ = SCHOOLS[_ELEMENTARY + position // len(SUBJECTS)]
            title, sourced_id = SUBJECTS[position % len(SUBJECTS)], f"{code}{position % len(SUBJECTS):03}"
        else:  # one course for every elementary class, named after its teacher
            row, column = divmod(position - secondary, _ELEMENTARY)
            number = row * len(SCHOOLS) + column
            code, _, _ = SCHOOLS[column]
            title, sourced_id = "", f"TCH_{code}{421 + number}"
        return {"schoolYear": None, "title": title, "courseCode": sourced_id, "grades": None, "subjects": None,
                "subjectCodes": None, "resources": None, "org": _reference("org", "orgs", str(code)),
                **_base(sourced_id)}  # fmt: skip

    def _class(self, position: int) -> Record:
        code, _, elementary = SCHOOLS[position % len(SCHOOLS)]
        number = 421 + position
        # Elementary classes: `990_TN_421`, a blank title, term Y, period 0, course TCH_990421 (reference 1.6).
        sourced_id = f"{code}_TN_{number}" if elementary else f"{code}_{1001 + position}"
        course = f"TCH_{code}{number}" if elementary else f"{code}{position % len(SUBJECTS):03}"
        return {"title": "" if elementary else SUBJECTS[position % len(SUBJECTS)], "classCode": None,
                "classType": "homeroom" if elementary else "scheduled", "location": None, "grades": None,
                "subjects": None, "subjectCodes": None, "resources": None,
                "periods": ["0"] if elementary else [str(1 + position % 6)],
                "course": _reference("course", "courses", course), "school": _reference("org", "orgs", str(code)),
                "terms": [_reference("academicSession", "academicSessions", f"{code}_{'Y' if elementary else 'F'}")],
                **_base(sourced_id)}  # fmt: skip

    def _user(self, sourced_id: str, role: str, number: str, position: int, school: int, grades: object) -> Record:
        word = self._words[(position * 31 + school) % len(self._words)]
        name = f"{GIVEN_MARK}{self._words[position % len(self._words)]}"
        mail = f"{name.lower()}.{number}@{MAIL_MARK}"
        return {"username": mail, "userIds": None, "enabledUser": "true", "givenName": name,
                "familyName": f"{word.title()}{FAMILY_MARK}", "middleName": None, "role": role, "identifier": number,
                "email": mail, "sms": None, "phone": f"({position % 900 + 100}) {PHONE_MARK}", "agents": None,
                "orgs": [_reference("org", "orgs", str(school))], "grades": grades, "password": None,
                **_base(sourced_id)}  # fmt: skip

    def _student(self, position: int) -> Record:
        code, _, elementary = SCHOOLS[position % len(SCHOOLS)]
        number = f"{NUMBER_MARK}{position:04}"
        grade = f"{position % 6 + (1 if elementary else 7):02}"
        return self._user(f"{code}_STU_{number}", "student", number, position, code, [grade])

    def _teacher(self, position: int) -> Record:
        code, _, _ = SCHOOLS[position % len(SCHOOLS)]
        number = str(421 + position)
        return self._user(f"TCH_{code}{number}", "teacher", number, position, code, None)

    def _enrollment(self, position: int, role: str) -> Record:
        group = self._class(position % self.teachers)
        user = self._student(position) if role == "student" else self._teacher(position)
        school = group["school"]
        return {"role": role, "primary": "true" if role == "teacher" else None, "beginDate": None, "endDate": None,
                "user": _reference(role, "users", str(user["sourcedId"])), "school": school,
                "class": _reference("class", "classes", str(group["sourcedId"])),
                **_base(f"{group['sourcedId']}_{user['identifier']}")}  # fmt: skip

    def _demographics(self, position: int) -> Record:
        return {"birthDate": f"{BIRTH_MARK}{position % 12 + 1:02}-{position % 28 + 1:02}", "sex": None,
                "cityOfBirth": f"{FAMILY_MARK} Wells",
                **_base(str(self._student(position)["sourcedId"]))}  # fmt: skip


def _visible(row: Record) -> Record:
    return {key: value for key, value in row.items() if not key.startswith("_")}
