"""Pure: the catalogue as people read it: ``rosterwatch explain CAUSE``, and ``docs/causes.md`` from all of it."""

from __future__ import annotations

import string
from collections.abc import Iterator

from rosterwatch.cause import Cause
from rosterwatch.causes import CAUSES
from rosterwatch.providers import PROVIDERS

_SCOPES = {"district": "one district", "host": "all districts on one host", "ourselves": "the monitor itself"}


class _Blanks(dict[str, str]):
    """Fills a template with the names of its facts: ``<host>``."""

    def __missing__(self, key: str) -> str:
        return f"<{key.replace('_', ' ')}>"


def entry(cause: Cause, provider: str = "aeries") -> str:
    """The runbook entry of a cause, in Markdown, with the steps as the provider's own pages name things."""
    lines = [
        f"## {cause.name}",
        "",
        f"**{_filled(cause.headline, provider)}**",
        "",
        f"Concerns {_SCOPES[cause.scope.value]}. Whose move: {cause.owner.value}. Severity: {cause.severity.word}.",
        _patience(cause),
        "",
    ]
    lines += [f"{number}. {step}" for number, step in enumerate(_steps(cause, provider), 1)]
    return "\n".join(lines) + "\n"


def whole() -> str:
    """The whole catalogue as a document, in the order of repair."""
    head = (
        "# Causes\n\nEvery cause that Rosterwatch can name, in the order of repair: of several found at once, the one that stands "
        "first here is mended first. The steps are those for Aeries; other products' alerts name their own pages. Words in "
        "angle brackets are filled in by the alert.\n\nThis page is made from the catalogue by `make docs`.\n\n"
    )
    table = ["| Cause | Whose move | Severity |", "|---|---|---|"]
    table += [f"| [{cause.name}](#{cause.name}) | {cause.owner.value} | {cause.severity.word} |" for cause in CAUSES.values()]
    return head + "\n".join(table) + "\n\n" + "\n".join(entry(cause) for cause in CAUSES.values())


def _patience(cause: Cause) -> str:
    if cause.patience == 1:
        return "Told at once."
    return f"Told when {cause.patience} visits in a row have found it; a first find is looked at again after about a minute."


def _steps(cause: Cause, provider: str) -> Iterator[str]:
    wording = PROVIDERS[provider].wording
    steps = [one for step in cause.next_steps for one in (getattr(wording, step[1:]) if step.startswith("@") else (step,))]
    for step in dict.fromkeys(steps):
        yield _filled(step, provider)


def _filled(template: str, provider: str) -> str:
    words = PROVIDERS[provider].wording
    told = {"product": words.product, "credentials": words.credentials, "either": words.either, "revoked": words.revoked}
    text = string.Formatter().vformat(template, (), _Blanks(told, term_begins="", retry_after=""))
    return text.strip().replace("<", "\\<") if "<" in text else text.strip()
