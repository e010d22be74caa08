"""What strangers send, made up from a seed: texts, bytes, documents and pages, and real ones with something wrong in them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

#: Put into every kind of input, as a token or a name would be. Nothing that must not be kept may hold it afterwards.
PLANTED: Final = "Qx7Zj4Wk9Vp2Lm5T"
#: What would be markup, were it not escaped.
MARKUP: Final = f"<img src=x onerror='{PLANTED}'>\"&"

_PIECES: Final = (
    "", " ", "\x00", "\n", "\r\n", "\t", "\ufeff", "\x1c", "\x85", "\xa0", "\u2028", "\u202e", "\ud800", "\U0001f600", "é",
    "٣", "²", "İ", "ß", "0", "-1", "1e999", "NaN", "null", "true", "'", '"', "\\", "%00", "%", "{}", "{0}", "{district}",
    "${x}", "../", "<", ">", "&", ";", ",", ":", "=", "/", "//", "@", "#", "?", "[", "]", "|", "aeries", "Bearer",
    "2026-2027", "2026-10-06", "99999999999999999999",
)  # fmt: skip
_NUMBERS: Final = (0, 1, -1, 2**31, 2**63, -(2**63), 10**30, 0.0, -0.0, 1e308, float("inf"), float("nan"), 0.1, 253402300799)
T = TypeVar("T")


class Chance(random.Random):
    """Random numbers of one seed, and what is made of them. The same seed makes the same input."""

    def one_in(self, many: int) -> bool:
        """Whether it happens, once in so many times."""
        return self.randrange(many) == 0

    def text(self, pieces: int = 6) -> str:
        """A text of a few odd pieces."""
        kind = self.randrange(6)
        if kind == 0:
            return PLANTED
        if kind == 1:
            return MARKUP
        if kind == 2:
            return "".join(chr(self.choice((self.randrange(32, 127), self.randrange(0x3000)))) for _ in range(self.randrange(12)))
        found = "".join(self.choice(_PIECES) for _ in range(self.randrange(pieces)))
        return found * self.choice((1, 1, 1, 1, 1, 1, 50)) if kind == 3 else found

    def scalar(self) -> Any:
        """A JSON value that holds no other."""
        kind = self.randrange(8)
        if kind < 4:
            return self.text()
        return self.choice(_NUMBERS) if kind < 6 else self.choice((None, True, False, ""))

    def document(self, keys: Sequence[str], values: Sequence[Any] = (), depth: int = 3) -> Any:
        """A JSON document whose members mostly go by the names that are looked for."""
        kind = self.randrange(10) if depth else 9
        if kind < 5:
            names = (self.choice(keys) if keys and self.randrange(5) else self.text() for _ in range(self.randrange(5)))
            return {name: self.document(keys, values, depth - 1) for name in names}
        if kind < 7:
            return [self.document(keys, values, depth - 1) for _ in range(self.randrange(4))]
        return self.choice(values) if values and self.randrange(2) else self.scalar()

    def changed(self, document: Any, keys: Sequence[str], values: Sequence[Any] = ()) -> Any:
        """A good document with something wrong in it."""
        if isinstance(document, dict) and document and not self.one_in(6):
            kept = dict(document)
            name = self.choice(list(kept))
            kind = self.randrange(8)
            if kind == 0:
                del kept[name]
            elif kind == 1:
                kept[self.text()] = kept.pop(name)
            elif kind == 2:
                kept[self.choice(keys) if keys else name] = self.document(keys, values, 2)
            else:
                kept[name] = self.changed(kept[name], keys, values)
            return kept
        if isinstance(document, list) and document and not self.one_in(4):
            listed = list(document)
            listed[self.randrange(len(listed))] = self.changed(self.choice(listed), keys, values)
            return listed if self.randrange(4) else listed * 3
        if isinstance(document, str) and self.randrange(3) == 0:
            return self.spoilt(document)
        return self.document(keys, values, 2)

    def spoilt(self, text: str) -> str:
        """A text with a piece put in, taken out or put in place of another."""
        if not text:
            return self.text()
        at = self.randrange(len(text) + 1)
        return text[:at] + self.choice((self.text, str))() + text[at + self.randrange(4) :]

    def bytes_like(self, raw: bytes) -> bytes:
        """The bytes with some of them wrong."""
        spoilt = bytearray(raw)
        for _ in range(self.randrange(1, 4)):
            at = self.randrange(len(spoilt) + 1)
            kind = self.randrange(6)
            if kind == 0:
                del spoilt[at:]
            elif kind == 1:
                del spoilt[at : at + self.randrange(8)]
            elif kind == 2:
                spoilt[at:at] = self.randbytes(self.randrange(8))
            elif kind == 3:
                spoilt[at:at] = self.text().encode("utf-8", "surrogatepass")
            elif kind == 4 and spoilt:
                spoilt[min(at, len(spoilt) - 1)] = self.randrange(256)
            else:
                spoilt[at:at] = spoilt[self.randrange(len(spoilt) + 1) : at]
        return bytes(spoilt)

    def as_json(self, document: Any) -> str:
        """A document as a careless program writes it: with NaN, escapes or none, blanks, a member twice."""
        text = json.dumps(document, ensure_ascii=bool(self.randrange(2)), indent=self.choice((None, None, 1)))
        if self.one_in(12) and text.startswith("{") and len(text) > 2:
            text = text[:-1] + "," + text[1:]
        return text

    def any_of(self, *makers: Callable[[], T]) -> T:
        """What one of the makers makes."""
        return self.choice(makers)()
