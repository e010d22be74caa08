from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import rosterwatch
from rosterwatch.quiet import WITHHELD

LIBRARIES = (
    "boto3",
    "botocore.parsers",
    "botocore.endpoint",
    "httpcore.http11",
    "httpcore.connection",
    "httpx",
    "urllib3.connectionpool",
)


class Kept(logging.Handler):
    """Keeps every line as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Everything at DEBUG, told so by name, as nobody should."""
    handler, loggers = Kept(), [logging.getLogger(name) for name in ("", *LIBRARIES)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_a_library_writes_down_of_its_traffic_is_withheld_at_every_level(kept: Kept, name: str) -> None:
    assert rosterwatch.__version__  # whoever has loaded anything of it is protected
    for level in (logging.DEBUG, logging.INFO):
        logging.getLogger(name).log(level, "kept-secret %s", "kept-secret", exc_info=ValueError("kept-secret"))
    assert kept.lines == [WITHHELD] * 2


def test_warnings_of_libraries_and_all_lines_of_ours_are_written_as_they_are(kept: Kept) -> None:
    logging.getLogger("botocore.credentials").warning("they end in %s s", 5)
    logging.getLogger("rosterwatch").debug("visited %s", "springfield")
    logging.getLogger("httpxy").debug("another library")
    assert kept.lines == ["they end in 5 s", "visited springfield", "another library"]
