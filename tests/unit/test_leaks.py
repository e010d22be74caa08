"""The search for leaks, shown to find what is there: without this, that it finds nothing would prove nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable
from string import ascii_letters, digits, hexdigits, punctuation
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.leaks import WINDOW, Canaries, Haul, Leak
from tests.proof import Part, Proof

SECRET = "9c1185a5c5e9fc54612808977ee8f548b2258d31b7d4a3e0f96d0c6e51b8a72d"
TRICKY = "p&q<r>\"s't/u+v=w%x\\y{z}|A~B`C^D;E"

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "in capitals": str.upper,
    "in swapped case": str.swapcase,
    "backwards": lambda value: value[::-1],
    "URL-encoded": quote_plus,
    "URL-encoded to the last character": lambda value: "".join(f"%{ord(c):02x}" for c in value),
    "URL-encoded twice": lambda value: quote(quote(value, safe=""), safe=""),
    "HTML-escaped": html.escape,
    "as numbers of HTML": lambda value: "".join(f"&#{ord(c)};" for c in value),
    "JSON-escaped": json.dumps,
    "JSON inside JSON": lambda value: json.dumps(json.dumps({"a": value})),
    "JSON-escaped to the last character": lambda value: "".join(f"\\u{ord(c):04x}" for c in value),
    "as Python writes it": repr,
    "as bytes of Python": lambda value: repr(value.encode()),
    "split by a newline": lambda value: f"{value[:9]}\n{value[9:]}",
    "split by a newline that JSON has escaped": lambda value: json.dumps(f"{value[:9]}\r\n    {value[9:]}"),
    "one character a line": "\n".join,
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 in lines": lambda value: base64.encodebytes(value.encode() * 3).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64 of a pair": lambda value: base64.b64encode(f"an-id:{value}".encode()).decode(),
    "base64 of a longer pair": lambda value: base64.b64encode(f"another:{value}:end".encode()).decode(),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "sha256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "half a sha256": lambda value: hashlib.sha256(value.encode()).hexdigest()[:32],
    "md5": lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest(),
    "sha1 in base64": lambda value: base64.b64encode(hashlib.sha1(value.encode(), usedforsecurity=False).digest()).decode(),
    "UTF-16": lambda value: value.encode("utf-16").decode("latin-1"),
}  # fmt: skip

CLAIM = pytest.mark.claim(
    "The search for leaks finds a value whole or in part, in every encoding, and nothing where there is none",
    part=Part.LEAKS,
    how="random values in 29 encodings and every part of 12 characters, between random texts; random texts without them",
)
values = st.text(ascii_letters + digits + punctuation, min_size=32, max_size=80).filter(
    lambda value: sum(map(str.isalnum, value)) >= 24
)
around = st.text(max_size=60)


def canaries(*planted: str) -> Canaries:
    made = Canaries()
    for number, value in enumerate(planted):
        made.plant(f"value {number}", value)
    return made


@CLAIM
@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found_in_every_encoding(way: str, proof: Proof) -> None:
    for value in (SECRET, TRICKY + SECRET[:20]):
        assert canaries(value).found_in(f"before {WAYS[way](value)} after"), value
        proof.tried()

    @settings(max_examples=proof.amount(quick=20, full=200))
    @given(values, around, around)
    def whatever_it_is(value: str, before: str, after: str) -> None:
        # What stands around it must not belong to its encoding: a % that comes before a hexadecimal digit is another letter.
        assert canaries(value).found_in(f"{before} . {WAYS[way](value)} . {after}")
        proof.tried()

    whatever_it_is()


@CLAIM
def test_every_part_of_twelve_characters_is_found_and_no_shorter_one(proof: Proof) -> None:
    planted = canaries(SECRET)
    for start in range(len(SECRET) - WINDOW + 1):
        for offset in range(WINDOW):
            assert planted.found_in("z" * offset + SECRET[start : start + WINDOW] + "z") == {Leak("value 0", "plain")}
            proof.tried()
        assert planted.found_in(SECRET[start : start + WINDOW - 1]) == set()


@CLAIM
def test_nothing_is_found_where_nothing_is(proof: Proof) -> None:
    # Made here, since Hypothesis tries the constants that it finds in the code.
    made = hashlib.sha256(b"planted").digest()
    planted = canaries(made.hex(), base64.b85encode(made).decode(), made[:16].hex().upper())

    @settings(max_examples=proof.amount(quick=100, full=20_000))
    @given(st.text(hexdigits + " \n\"'&%\\:", max_size=2000) | st.text(max_size=500) | st.binary(max_size=500))
    def whatever_it_is(text: str | bytes) -> None:
        assert planted.found_in(text) == set()
        proof.tried()

    whatever_it_is()


def test_the_value_itself_is_never_told() -> None:
    [leak] = canaries(SECRET).found_in(f"token={SECRET}")
    assert leak == Leak("value 0", "plain")
    assert not canaries(SECRET).found_in(repr(leak))


def test_a_short_value_is_found_as_it_is_and_encoded() -> None:
    planted = canaries("Zzyzxroster")
    for text in (
        "ZZYZXROSTER Wells",
        "Zzyzx\nroster",
        "%5azyzxroster",
        base64.b64encode(b"a Zzyzxroster").decode(),
        b"Zzyzxroster".hex(),
    ):
        assert planted.found_in(text), text
    assert not planted.found_in("Zzyzxroste")
    assert not canaries("555-0142").found_in("555 0142")


def test_a_mark_is_found_by_its_pattern_below_escapes_too() -> None:
    planted = Canaries()
    planted.mark("birth", r"1811-\d\d-\d\d")
    assert planted.found_in("born%201811%2D03%2D05")
    assert not planted.found_in("0f0e-1811-0c0b")


def test_what_would_be_found_everywhere_cannot_be_planted() -> None:
    with pytest.raises(ValueError, match=r"springfield\.token"):
        Canaries().plant("springfield.token", " ")


def test_a_haul_tells_where_something_was_found_and_where_nothing_was_searched() -> None:
    haul = Haul()
    haul.put("log", "quiet", f"token={SECRET}")
    haul.put("table", b"\x00\xff")
    haul.put("queue")
    haul.put("topic", " \n")
    assert haul.leaks(canaries(SECRET)) == {"log": {Leak("value 0", "plain")}}
    assert haul.empty(("log", "table", "queue", "topic", "widget")) == ["queue", "topic", "widget"]
    assert haul.size > len(SECRET)
