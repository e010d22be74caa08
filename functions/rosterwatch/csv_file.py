"""Pure: a file with one district a row, as fields of secrets. Every row comes out, in order, with what is wrong with it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rosterwatch.district import District, SecretFault, parse_secret
from rosterwatch.fields import LISTS, TEXTS, shown
from rosterwatch.queue import is_district

NAME = "district"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``line`` is where it ends in the file; ``text`` is the secret, of use only without ``mistakes``."""

    line: int
    district: str
    text: str = field(repr=False)
    mistakes: tuple[str, ...] = ()

    @property
    def parsed(self) -> District | None:
        """The district, if there is no mistake."""
        found = parse_secret(self.district, self.text)
        return found if isinstance(found, District) and not self.mistakes else None


def read_rows(text: str) -> list[Row]:
    """The rows of a CSV file with a header, separated by commas, semicolons or tabs. Raises ValueError if it is no such file."""
    head = text.lstrip("\ufeff").partition("\n")[0]
    separator = max(",;\t", key=head.count)
    try:
        lines = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator, strict=True)
        names = [name.strip().lower() for name in next(lines, [])]
        _check_header(names)
        rows = [_row(lines.line_num, names, [cell.strip() for cell in cells]) for cells in lines if any(map(str.strip, cells))]
    except csv.Error as error:
        raise ValueError(f"the file is no CSV: {error}") from None
    counts = Counter(row.district for row in rows)
    twice = f'"{NAME}" is there more than once: keep one of the rows'
    return [replace(row, mistakes=(*row.mistakes, twice)) if counts[row.district] > 1 else row for row in rows]


def _check_header(names: list[str]) -> None:
    if NAME not in names or "base_url" not in names:
        raise ValueError("the first line must name the columns: district,base_url,consumer_id,consumer_secret,api_certificate")
    unknown = [shown(name) for name in names if name not in (NAME, *TEXTS, *LISTS)]
    if unknown:
        raise ValueError(f"unknown columns {', '.join(unknown)}: the known ones are {', '.join((NAME, *TEXTS, *LISTS))}")
    if len(set(names)) < len(names):
        raise ValueError("a column is there twice: keep one of them")


def _row(line: int, names: list[str], cells: list[str]) -> Row:
    given = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    district = given.pop(NAME, "")
    text = json.dumps({name: cell.split() if name in LISTS else cell for name, cell in given.items()}, indent=2)
    return Row(line, district, text, tuple(_mistakes(district, text, len(names), len(cells))))


def _mistakes(district: str, text: str, columns: int, cells: int) -> Iterator[str]:
    if cells > columns:
        yield f"the row has {cells} cells and the header only {columns}: put a value with a separator in it into quotes"
    if not district:
        yield f'"{NAME}" is empty: give the district a name'
    elif not is_district(district):
        yield f'"{NAME}" may hold letters, digits and / _ + = . @ - only'
    found = parse_secret(district, text)
    if isinstance(found, SecretFault):
        yield from found.mistakes
