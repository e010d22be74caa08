"""What Aeries' regular API tells, as far as it may be kept."""

from __future__ import annotations

from typing import Any

import pytest

from rosterwatch.aeries import system_info
from rosterwatch.observation import SystemInfo


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"AeriesVersion": "9.26.11.3", "DatabaseYear": "2026-2027"}, SystemInfo("9.26.11.3", "2026-2027", None)),
        ({"AeriesVersion": "9.26 by Maggie", "DatabaseYear": "this year"}, SystemInfo(None, None, None)),
        ({"AeriesVersion": "٩.٢٦", "DatabaseYear": "٢٠٢٦-٢٠٢٧"}, SystemInfo(None, None, None)),
        ({"AeriesVersion": 9.26, "DatabaseYear": 2026, "CurrentDateTime": 7}, SystemInfo(None, None, None)),
        ({}, SystemInfo(None, None, None)),
        ([], None),
        (None, None),
    ],
)
def test_systeminfo_is_kept_as_far_as_it_has_the_shape_that_aeries_gives_it(document: Any, found: SystemInfo | None) -> None:
    assert system_info(document) == found
