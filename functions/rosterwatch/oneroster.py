"""OneRoster's own facts: collections, envelopes, scopes, paths.

Sources: OneRoster 1.1 https://www.imsglobal.org/oneroster-v11-final-specification and the 1.2 rostering OpenAPI
https://purl.imsglobal.org/spec/or/v1p2/schema/openapi/onerosterv1p2rostersservice_openapi3_v1p0.json
(reference sections 3.1 to 3.6).
"""

from __future__ import annotations

import re
from typing import Any, Final

#: Where rostering lives below a server's root (reference section 3.1).
DATA_PATHS: Final = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}

#: Collection -> the member of the answer that holds its list (reference section 3.2).
ENVELOPES: Final = {
    "orgs": "orgs",
    "schools": "orgs",
    "academicSessions": "academicSessions",
    "terms": "academicSessions",
    "gradingPeriods": "academicSessions",
    "courses": "courses",
    "classes": "classes",
    "users": "users",
    "students": "users",
    "teachers": "users",
    "enrollments": "enrollments",
    "demographics": "demographics",
}

#: What Incident IQ reads, asked for in this order: cheap and telling first.
REQUIRED: Final = (
    "orgs",
    "schools",
    "academicSessions",
    "terms",
    "courses",
    "classes",
    "users",
    "students",
    "teachers",
    "enrollments",
)
OPTIONAL: Final = ("gradingPeriods", "demographics")

#: What may rightly be empty while school is out, since servers list current enrolments and terms only (section 0, fact 6).
SEASONAL: Final = frozenset(
    {"terms", "gradingPeriods", "classes", "students", "teachers", "users", "enrollments", "academicSessions"}
)

_SCOPE_ROOTS: Final = {
    "1.1": "https://purl.imsglobal.org/spec/or/v1p1/scope/",
    "1.2": "https://purl.imsglobal.org/spec/or/v1p2/scope/",
}


_VERSION_IN_PATH: Final = re.compile(r"/v(\d+)p(\d+)(?=/|$)", re.IGNORECASE)


def version_of(data_url: str) -> str | None:
    """The OneRoster version that a data URL names, if it is one we know."""
    named = _VERSION_IN_PATH.findall(data_url)
    version = ".".join(named[-1]) if named else None
    return version if version in DATA_PATHS else None


def scopes(version: str, collections: tuple[str, ...]) -> tuple[str, ...]:
    """The scope URIs needed to read ``collections``: core opens all but demographics, which has its own (section 3.2)."""
    names = ["roster-core.readonly"]
    if "demographics" in collections:
        names.append("roster-demographics.readonly")
    return tuple(_SCOPE_ROOTS[version] + name for name in names)


def find_records(collection: str, document: Any) -> tuple[list[Any] | None, str | None]:
    """The list of records in an answer, and the alias that held it if it was not the member that the spec names.

    Aliases seen in the field (reference section 1.6): the collection's own name, and the singular of the envelope. A body
    without any of them has no list: ``(None, None)``; that is a protocol error, never an empty collection.
    """
    if not isinstance(document, dict):
        return None, None
    envelope = ENVELOPES[collection]
    if isinstance(document.get(envelope), list):
        return document[envelope], None
    for alias in (collection, envelope.removesuffix("s"), collection.removesuffix("s")):
        if isinstance(document.get(alias), list):
            return document[alias], alias
    return None, None


def count_records(records: list[Any]) -> int | None:
    """How many records the list holds; ``None`` if one of them is no record (no object with a non-empty ``sourcedId``)."""
    for record in records:
        found = record.get("sourcedId") if isinstance(record, dict) else None
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            return None
    return len(records)
