"""Values that must not be found anywhere, and the search for them: pure, and the same for every place that is searched.

    canaries = Canaries()
    canaries.plant("springfield.consumer_secret", secret)
    canaries.found_in(log)  # {Leak("springfield.consumer_secret", "base64")}

A value is found whole or in part (any `WINDOW` characters of it in a row), in either case, backwards, split by line breaks,
quotes or blanks, as hex, base32 or base64 (at any offset inside a longer text), as an unkeyed hash, and below any number of
layers of URL encoding, HTML escapes and JSON escapes. What was found is told by its name, never by its value.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

WINDOW: Final = 12
# Every run of WINDOW characters holds one of the places, _STRIDE apart, at which _GRAM characters are looked up.
_GRAM: Final = 8
_STRIDE: Final = WINDOW - _GRAM + 1
_MOST_LAYERS: Final = 5
_HASHES: Final = ("md5", "sha1", "sha256", "sha512")
_SEPARATORS: Final = re.compile(r"[^0-9a-z]+")
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtbf])|(.))", re.DOTALL)


@dataclass(frozen=True, order=True)
class Leak:
    """A planted value that was found, and the form in which it was."""

    name: str
    form: str


class Canaries:
    """The planted values, and those of ``others``, which need not be prepared for the search again."""

    def __init__(self, *others: Canaries) -> None:
        self._others = others
        self._needles: list[tuple[Leak, str]] = []
        self._grams: dict[str, list[tuple[int, int]]] = {}
        self._short: list[tuple[Leak, str, str]] = []
        self._patterns: list[tuple[Leak, re.Pattern[str]]] = []
        self.names: set[str] = set().union(*(other.names for other in others))

    def plant(self, name: str, value: str) -> None:
        """Look for a value in every form. One that is too short to be searched for in part is searched for as it is, too."""
        if not value.strip():
            raise ValueError(f"{name} would be found everywhere")
        self.names.add(name)
        for form, needle in forms(value):
            if len(needle) >= WINDOW:
                self._add(Leak(name, form), needle)
        if len(_squeezed(value)) < WINDOW:
            for form, text in (("plain", value.lower()), ("backwards", value.lower()[::-1])):
                # Without its separators it is found when it is split, and by chance if it is shorter than this.
                self._short.append((Leak(name, form), text, short if len(short := _squeezed(text)) > _GRAM else text))

    def mark(self, name: str, pattern: str) -> None:
        """Look for what matches, as it is: for values that are too short to be told from chance without their surroundings."""
        self.names.add(name)
        self._patterns.append((Leak(name, "plain"), re.compile(pattern, re.IGNORECASE)))

    def found_in(self, text: str | bytes) -> set[Leak]:
        """Every planted value in it."""
        raw = text.decode("latin-1") if isinstance(text, bytes) else text
        raw = raw.replace("\0", "")  # UTF-16 is ASCII with NULs between
        views = [(view, view.lower(), _squeezed(view)) for view in dict.fromkeys((raw, _decoded(raw)))]
        return set().union(*(one._found(*view) for view in views for one in (self, *self._others)))

    def _found(self, view: str, lowered: str, squeezed: str) -> set[Leak]:
        found = {leak for leak, value, short in self._short if value in lowered or short in squeezed}
        found |= {leak for leak, pattern in self._patterns if pattern.search(view)}
        return found | self._in_part(squeezed)

    def _add(self, leak: Leak, needle: str) -> None:
        number = len(self._needles)
        self._needles.append((leak, needle))
        for start in range(len(needle) - _GRAM + 1):
            self._grams.setdefault(needle[start : start + _GRAM], []).append((number, start))

    def _in_part(self, text: str) -> set[Leak]:
        found: set[Leak] = set()
        grams = self._grams
        for place in range(0, len(text) - _GRAM + 1, _STRIDE):
            for number, start in grams.get(text[place : place + _GRAM], ()):
                leak, needle = self._needles[number]
                if leak not in found and _common(text, place, needle, start) >= WINDOW:
                    found.add(leak)
        return found


def _common(text: str, place: int, needle: str, start: int) -> int:
    """How many characters agree, around a place where _GRAM of them do."""
    before = 0
    while place - before > 0 and start - before > 0 and text[place - before - 1] == needle[start - before - 1]:
        before += 1
    after = _GRAM
    while place + after < len(text) and start + after < len(needle) and text[place + after] == needle[start + after]:
        after += 1
    return before + after


@functools.lru_cache(maxsize=4096)
def forms(value: str) -> tuple[tuple[str, str], ...]:
    """A value in every form that is not undone by decoding the text; letters in lower case and digits only."""
    raw = value.encode()
    found = [("plain", value), ("backwards", value[::-1]), ("hex", raw.hex()), ("base32", base64.b32encode(raw).decode())]
    for offset in range(3):
        # Inside a longer text its neighbours decide on the first and the last characters: those are left out.
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        found.append(("base64", encoded[-(-8 * offset // 6) : 8 * (offset + len(raw)) // 6]))
    for name in _HASHES:
        digest = hashlib.new(name, raw).digest()
        found += [(name, digest.hex()), (name, base64.b64encode(digest).decode())]
    return tuple((form, _squeezed(text)) for form, text in found)


def _squeezed(text: str) -> str:
    return _SEPARATORS.sub("", text.lower())


def _decoded(text: str) -> str:
    """The text below all its layers of escapes."""
    for _ in range(_MOST_LAYERS):
        before = text
        text = unquote(html.unescape(_ESCAPED.sub(_unescaped, text)), errors="replace")
        if text == before:
            break
    return text


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else " " if found[3] else found[4]


@dataclass
class Haul:
    """What was collected for the search, by the place where it was. A place where nothing was is no proof of anything."""

    _texts: dict[str, list[str]] = field(default_factory=dict)

    def put(self, place: str, *texts: str | bytes) -> None:
        """Add what was at a place."""
        kept = self._texts.setdefault(place, [])
        kept += [text.decode("latin-1") if isinstance(text, bytes) else text for text in texts]

    @property
    def places(self) -> list[str]:
        """Where something was collected."""
        return [place for place, texts in self._texts.items() if "".join(texts).strip()]

    @property
    def size(self) -> int:
        """How many characters were collected."""
        return sum(len(text) for texts in self._texts.values() for text in texts)

    def empty(self, places: Iterable[str]) -> list[str]:
        """The places where there was nothing to search."""
        return [place for place in places if not "".join(self._texts.get(place, ())).strip()]

    def leaks(self, canaries: Canaries) -> dict[str, set[Leak]]:
        """What was found, by its place."""
        found = {place: canaries.found_in("\n".join(texts)) for place, texts in self._texts.items()}
        return {place: leaks for place, leaks in found.items() if leaks}
