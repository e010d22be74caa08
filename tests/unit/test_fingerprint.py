from __future__ import annotations

import re
from dataclasses import replace

from rosterwatch.district import Credentials
from rosterwatch.fingerprint import fingerprint, same_pair

PAIR = Credentials("consumer-1d", "secret-5e", "certificate")


def test_the_same_pair_under_the_same_key_is_known_again() -> None:
    assert same_pair(fingerprint(b"key", PAIR), fingerprint(b"key", replace(PAIR, api_certificate=None))) is True


def test_another_pair_is_another_even_if_its_halves_run_together_alike() -> None:
    known = fingerprint(b"key", PAIR)
    for other in (
        ("consumer-1d", "secret-5f"),
        ("consumer-1e", "secret-5e"),
        ("consumer-1ds", "ecret-5e"),
        ("secret-5e", "consumer-1d"),
    ):
        assert same_pair(known, fingerprint(b"key", Credentials(*other))) is False


def test_a_fingerprint_of_another_key_proves_nothing() -> None:
    assert same_pair(fingerprint(b"key", PAIR), fingerprint(b"another", PAIR)) is None


def test_a_fingerprint_shows_nothing_of_the_pair_or_the_key() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}:[0-9a-f]{32}", fingerprint(b"key", PAIR))
