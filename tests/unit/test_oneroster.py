from __future__ import annotations

from typing import Any

import pytest

from rosterwatch import oneroster
from rosterwatch.oneroster import count_records, find_records, scopes
from rosterwatch.providers import PROVIDERS


@pytest.mark.parametrize(
    ("collection", "document", "found"),
    [
        ("students", {"users": [1]}, ([1], None)),
        ("students", {"students": [1]}, ([1], "students")),
        ("students", {"user": [1]}, ([1], "user")),
        ("students", {"student": [1]}, ([1], "student")),
        ("students", {"users": [], "students": [1]}, ([], None)),
        ("terms", {"academicSessions": [1]}, ([1], None)),
        ("orgs", {"orgs": None}, (None, None)),
        ("orgs", {"orgs": {"org": []}}, (None, None)),
        ("orgs", {}, (None, None)),
        ("orgs", [{"sourcedId": "1"}], (None, None)),
        ("orgs", None, (None, None)),
        ("orgs", {"Orgs": []}, (None, None)),
    ],
)
def test_the_list_is_found_by_its_name_or_a_known_alias_and_never_invented(collection: str, document: Any, found: Any) -> None:
    assert find_records(collection, document) == found


@pytest.mark.parametrize(
    ("records", "count"),
    [
        ([], 0),
        ([{"sourcedId": "1"}], 1),
        ([{"sourcedId": 1, "name": None}, {"sourcedId": "2"}], 2),
        ([{"sourcedId": ""}], None),
        ([{"sourcedId": None}], None),
        ([{"sourcedId": True}], None),
        ([{"id": "1"}], None),
        (["1"], None),
        ([None], None),
        ([{"sourcedId": "1"}, {}], None),
    ],
)
def test_a_record_is_an_object_with_a_sourced_id(records: list[Any], count: int | None) -> None:
    assert count_records(records) == count


def test_demographics_ask_for_a_scope_of_their_own() -> None:
    core, demographics = scopes("1.1", ("orgs", "demographics"))
    assert core == "https://purl.imsglobal.org/spec/or/v1p1/scope/roster-core.readonly"
    assert demographics == "https://purl.imsglobal.org/spec/or/v1p1/scope/roster-demographics.readonly"
    assert scopes("1.1", ("orgs", "users")) == (core,)
    assert scopes("1.2", ("orgs",)) == (core.replace("v1p1", "v1p2"),)


def test_every_collection_has_an_envelope_and_every_provider_a_box_for_it() -> None:
    named = set(oneroster.REQUIRED) | set(oneroster.OPTIONAL)
    assert named == set(oneroster.ENVELOPES)
    assert named >= oneroster.SEASONAL
    for provider in PROVIDERS.values():
        assert set(provider.permissions) == named
        assert provider.version in oneroster.DATA_PATHS
        assert len({dialect.name for dialect in provider.token_dialects}) == len(provider.token_dialects)
        assert bool(provider.token_dialects) is provider.auth.asks_for_token
