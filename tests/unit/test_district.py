from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch import oneroster
from rosterwatch.district import District, SecretFault, SecretTrouble, looks_like_certificate, parse_secret

CONSUMER_ID = "1d" * 32
CONSUMER_SECRET = "5e" * 32
CERTIFICATE = "C7" + "x9" * 15
GOOD: dict[str, Any] = {
    "base_url": "https://sis.example.org/aeries",
    "consumer_id": CONSUMER_ID,
    "consumer_secret": CONSUMER_SECRET,
    "api_certificate": CERTIFICATE,
}


def district(**changes: Any) -> District:
    parsed = parse_secret("springfield", json.dumps(GOOD | changes))
    assert isinstance(parsed, District)
    return parsed


def mistakes(text: str) -> tuple[str, ...]:
    """The mistakes of a secret; and whatever they are, no value of it is shown."""
    parsed = parse_secret("springfield", text)
    assert isinstance(parsed, SecretFault)
    assert parsed.trouble is SecretTrouble.MALFORMED
    assert parsed.district == "springfield"
    for value in (CONSUMER_ID, CONSUMER_SECRET, CERTIFICATE):
        assert value not in repr(parsed)
    return parsed.mistakes


def mistake(**changes: Any) -> str:
    (only,) = mistakes(json.dumps(GOOD | changes))
    return only


def without(*names: str) -> str:
    return json.dumps({name: value for name, value in GOOD.items() if name not in names})


def test_a_good_secret_becomes_a_district_with_the_defaults() -> None:
    parsed = district()
    assert parsed.name == "springfield"
    assert parsed.provider.name == "aeries"
    assert parsed.base.url == "https://sis.example.org/aeries"
    assert parsed.credentials.consumer_id == CONSUMER_ID
    assert parsed.credentials.consumer_secret == CONSUMER_SECRET
    assert parsed.credentials.api_certificate == CERTIFICATE
    assert parsed.required == oneroster.REQUIRED
    assert parsed.optional == oneroster.OPTIONAL


def test_the_certificate_may_be_left_out() -> None:
    parsed = parse_secret("springfield", without("api_certificate"))
    assert isinstance(parsed, District)
    assert parsed.credentials.api_certificate is None


def test_required_and_optional_can_be_chosen_and_required_wins() -> None:
    parsed = district(required=["orgs", "users", "orgs"], optional=["users", "demographics"])
    assert parsed.required == ("orgs", "users")
    assert parsed.optional == ("demographics",)
    assert district(optional=[]).optional == ()


@pytest.mark.parametrize("name", ["base_url", "consumer_id", "consumer_secret"])
def test_a_missing_field_is_named(name: str) -> None:
    assert mistakes(without(name)) == (f'field "{name}" is missing: add it',)


def test_an_unknown_field_is_named_together_with_the_known_ones() -> None:
    said = mistake(consumer_key="x")
    assert said.startswith('field "consumer_key" is unknown: remove it or correct its spelling')
    assert all(name in said for name in (*GOOD, "provider", "required", "optional"))


def test_an_unknown_field_whose_name_looks_like_a_value_is_not_shown() -> None:
    said = mistake(**{CONSUMER_SECRET[:38]: "x"})
    assert "(a name that looks like a value)" in said
    assert CONSUMER_SECRET[:38] not in said


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1, "a number"), (1.5, "a number"), (True, "true or false"), (None, "null"), ({}, "an object"), (["x"], "a list")],
)
@pytest.mark.parametrize("name", ["base_url", "consumer_id", "consumer_secret", "api_certificate", "provider"])
def test_a_field_of_the_wrong_type_is_named_with_what_it_is(name: str, value: Any, kind: str) -> None:
    assert mistake(**{name: value}) == f'field "{name}" must be a text in quotes, not {kind}'


@pytest.mark.parametrize("name", ["base_url", "consumer_id", "consumer_secret", "api_certificate", "provider"])
@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_field_is_named(name: str, value: str) -> None:
    assert mistake(**{name: value}).startswith(f'field "{name}" is empty: fill it in')


@pytest.mark.parametrize("name", ["consumer_id", "consumer_secret", "api_certificate", "base_url"])
@pytest.mark.parametrize("around", [" {}", "{} ", "{}\n", "\t{}", "\u00a0{}"])
def test_blanks_around_a_value_are_named(name: str, around: str) -> None:
    said = mistake(**{name: around.format(GOOD[name])})
    assert said == f'field "{name}" has blanks or line breaks around its value: remove them'


@pytest.mark.parametrize("inside", [" ", "\n", "\u200b", "\x00", "\ud800"])
def test_a_blank_or_an_invisible_character_inside_a_value_is_named(inside: str) -> None:
    said = mistake(consumer_secret=CONSUMER_SECRET[:32] + inside + CONSUMER_SECRET[32:])
    assert said == 'field "consumer_secret" has a blank or an invisible character inside its value: copy it again'


def test_a_character_that_only_looks_right_is_named() -> None:
    said = mistake(consumer_id=CONSUMER_ID[:-1] + "\u0501")
    assert said == 'field "consumer_id" has a character outside ASCII: copy it again as plain text'


def test_a_value_of_absurd_length_is_named() -> None:
    assert "is longer than 4096 characters" in mistake(consumer_id="a" * 4097)


def test_a_plain_http_url_is_named_and_allowed_for_this_machine_alone() -> None:
    assert mistake(base_url="http://sis.example.org/aeries").startswith('field "base_url" starts with http://')
    secret = json.dumps(GOOD | {"base_url": "http://127.0.0.1:8080/aeries"})
    assert isinstance(parse_secret("springfield", secret), SecretFault)
    assert isinstance(parse_secret("springfield", secret, allow_http=True), District)


def test_a_url_that_is_none_is_named_without_being_shown() -> None:
    said = mistake(base_url="sis.example.org/aeries?key=" + CONSUMER_SECRET)
    assert said == 'field "base_url" does not start with https://; write it as https://host/folder'


@pytest.mark.parametrize("name", ["consumer_id", "consumer_secret"])
def test_a_certificate_pasted_into_a_consumer_field_is_named(name: str) -> None:
    by_value, by_shape = mistake(**{name: CERTIFICATE}), mistake(**{name: CERTIFICATE, "api_certificate": "another"})
    assert by_value == by_shape
    assert by_value.startswith(f'field "{name}" holds the API Certificate')
    assert "Display Consumer ID & Secret Keys for OneRoster" in by_value


def test_the_id_pasted_into_both_consumer_fields_is_named_once() -> None:
    assert mistake(consumer_secret=CONSUMER_ID).startswith('field "consumer_secret" is the same as "consumer_id"')


def test_two_values_of_32_characters_are_only_a_suspicion() -> None:
    parsed = district(consumer_id="a1" * 16, consumer_secret="b2" * 16)
    assert looks_like_certificate(parsed)
    assert not looks_like_certificate(district())


def test_an_unknown_provider_is_named_without_being_shown() -> None:
    said = mistake(provider="powerschool7")
    assert said.startswith('field "provider" names no provider we know: use one of aeries, classlink, ')


@pytest.mark.parametrize("name", ["required", "optional"])
@pytest.mark.parametrize("value", ["orgs", {"orgs": 1}, None, ["orgs", 1], [["orgs"]]])
def test_collections_that_are_no_list_of_names_are_named(name: str, value: Any) -> None:
    assert mistake(**{name: value}).startswith(f'field "{name}" must be a list of collection names')


def test_an_unknown_collection_is_named_and_a_value_among_them_is_not() -> None:
    said = mistake(required=["orgs", "student", CONSUMER_SECRET[:30]])
    assert said.startswith('field "required" names unknown collections "student", (a name that looks like a value): use orgs')


def test_an_empty_list_of_required_collections_is_named() -> None:
    assert mistake(required=[]).startswith('field "required" is empty')


@pytest.mark.parametrize("text", ["", "{", CONSUMER_SECRET, "{'a': 1}", json.dumps(GOOD)[:-1], "[" * 100_000, "1" * 5000])
def test_a_secret_that_is_no_json_is_one_mistake(text: str) -> None:
    (only,) = mistakes(text)
    assert only.startswith("the secret is not valid JSON")


@pytest.mark.parametrize("document", [[], "x", 1, None, True, [GOOD]])
def test_a_secret_that_is_no_object_is_one_mistake(document: Any) -> None:
    assert mistakes(json.dumps(document)) == ("the secret is JSON, but not an object: store one JSON object of fields",)


def test_a_field_that_is_there_twice_is_named() -> None:
    text = json.dumps(GOOD)[:-1] + f', "consumer_secret": "{CONSUMER_SECRET}"}}'
    assert mistakes(text) == ('field "consumer_secret" is there twice: keep one of them',)


def test_all_mistakes_are_told_at_once() -> None:
    document = {"base_url": "http://sis.example.org", "consumer_id": f" {CONSUMER_ID}", "provider": 7, "colour": "blue"}
    said = mistakes(json.dumps(document | {"required": "orgs"}))
    for part in (
        'field "consumer_secret" is missing',
        'field "colour" is unknown',
        'field "consumer_id" has blanks',
        'field "provider" must be a text',
        'field "required" must be a list',
        'field "base_url" starts with http://',
    ):
        assert sum(part in one for one in said) == 1, part
    assert len(said) == 6


def test_an_empty_object_misses_exactly_the_three_fields_that_are_needed() -> None:
    assert mistakes("{}") == tuple(f'field "{name}" is missing: add it' for name in ("base_url", "consumer_id", "consumer_secret"))


def test_no_representation_of_a_district_shows_a_credential() -> None:
    parsed = district()
    shown = repr(parsed) + str(parsed) + repr(parsed.credentials) + f"{parsed.credentials}" + repr(dataclasses.replace(parsed))
    for value in (CONSUMER_ID, CONSUMER_SECRET, CERTIFICATE):
        assert value not in shown


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["base_url", "consumer_id", "consumer_secret", "api_certificate", "provider", "required", "optional"])
# A value that is certain to be recognised: no sentence of ours holds such a thing.
planted = st.text("0123456789abcdef", min_size=12, max_size=64).map(lambda text: f"zq7{text}")
planted_values = planted | st.lists(planted, min_size=1, max_size=2) | planted.map(lambda text: f" {text}\n") | planted.map(len)


@given(st.text() | json_values.map(json.dumps) | st.dictionaries(names, json_values).map(json.dumps))
def test_no_text_at_all_makes_reading_a_secret_raise(text: str) -> None:
    assert isinstance(parse_secret("springfield", text), District | SecretFault)


@given(st.dictionaries(names | planted, planted_values))
def test_no_value_and_no_strange_name_is_ever_shown(document: dict[str, Any]) -> None:
    for text in (json.dumps(document), json.dumps(GOOD | document), json.dumps(document)[:-1]):
        assert "zq7" not in repr(parse_secret("springfield", text))


def test_a_district_may_bring_its_own_school_calendar() -> None:
    terms = district(terms=[["2026-08-12", "2026-12-18"], ["2027-01-05", "2027-06-04"]]).terms
    assert [(term.start.isoformat(), term.end.isoformat()) for term in terms] == [
        ("2026-08-12", "2026-12-18"),
        ("2027-01-05", "2027-06-04"),
    ]
    assert district().terms == ()


@pytest.mark.parametrize(
    "terms",
    ["2026-08-12", {"start": "2026-08-12"}, [["2026-08-12"]], [["2026-08-12", "soon"]], [[1, 2]], ["2026"], [["2026-08-12"] * 3]],
)
def test_a_calendar_that_is_none_is_named_with_what_to_write(terms: object) -> None:
    assert '"terms"' in mistake(terms=terms)
    assert "2026-08-12" in mistake(terms=terms)


def test_a_term_that_ends_before_it_begins_is_named() -> None:
    assert "turn them round" in mistake(terms=[["2027-06-04", "2026-08-12"]])
