from __future__ import annotations

import json

import pytest

from rosterwatch.csv_file import Row, read_rows

HEADER = "district,base_url,consumer_id,consumer_secret,api_certificate"
PAIR = ("a" * 64, "b" * 64)


def line(district: str, *, url: str = "https://district.example.org/aeries", separator: str = ",") -> str:
    return separator.join((district, url, *PAIR, "c" * 32))


def only(text: str) -> Row:
    [row] = read_rows(text)
    return row


def test_a_row_is_a_secret_and_shows_none_of_it() -> None:
    row = only(f"{HEADER}\n{line('springfield')}\n")
    assert json.loads(row.text) == {
        "base_url": "https://district.example.org/aeries",
        "consumer_id": PAIR[0],
        "consumer_secret": PAIR[1],
        "api_certificate": "c" * 32,
    }
    assert row.mistakes == ()
    assert row.parsed is not None
    assert PAIR[1] not in repr(row)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(separator: str) -> None:
    text = "\ufeff" + HEADER.replace(",", separator) + "\r\n" + line("springfield", separator=separator) + "\r\n\r\n"
    assert only(text).district == "springfield"


def test_an_empty_cell_is_a_field_that_is_not_there_and_a_list_is_split() -> None:
    row = only(f"{HEADER},required,provider\nspringfield,https://district.example.org/aeries,{PAIR[0]},{PAIR[1]},,orgs users,\n")
    assert json.loads(row.text)["required"] == ["orgs", "users"]
    assert "api_certificate" not in json.loads(row.text)
    assert row.parsed is not None


def test_every_row_comes_out_with_its_line_and_all_that_is_wrong_with_it() -> None:
    text = "\n".join(
        (
            HEADER,
            line("springfield"),
            line("shelbyville", url="http://district.example.org/aeries"),
            "",
            "ogdenville",
            line(""),
            line("capital city"),
            line("springfield") + ",surplus",
        )
    )
    rows = read_rows(text)
    assert [row.line for row in rows] == [2, 3, 5, 6, 7, 8]
    assert all(row.parsed is None for row in rows)
    said = ["; ".join(row.mistakes) for row in rows]
    assert "more than once" in said[0]
    assert "base_url" in said[1]
    assert '"consumer_id" is missing' in said[2]
    assert '"district" is empty' in said[3]
    assert "letters, digits" in said[4]
    assert "6 cells and the header only 5" in said[5]
    assert not any(value in words for words in said for value in PAIR)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must name the columns"),
        ("name,url\n", "must name the columns"),
        (f"{HEADER},colour\n", 'unknown columns "colour"'),
        (f"{HEADER},{'d' * 64}\n", "looks like a value"),
        (f"{HEADER},district\n", "twice"),
        (f'{HEADER}\n"springfield,', "no CSV"),
    ],
)
def test_what_is_no_such_file_is_said_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_rows(text)
