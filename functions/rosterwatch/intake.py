"""What an administrator hands over, asked for one by one, and checked at once. Values are never printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from rosterwatch import fields
from rosterwatch.address import normalise
from rosterwatch.providers import PROVIDERS, Auth, Provider
from rosterwatch.terminal import ask

#: The answer that takes a stored certificate out of the secret.
NONE: Final = "-"


def ask_for_everything(provider: Provider) -> dict[str, Any]:
    """The fields of a new secret, in the order in which Aeries' page shows them."""
    given: dict[str, Any] = {} if provider.name == "aeries" else {"provider": provider.name}
    product = provider.wording.product
    given["base_url"] = ask(f"{product} URL", _url(provider))
    if provider.name == "aeries":
        certificate = ask("API Certificate (Enter for none)", _text("api_certificate", optional=True), hidden=True, default="")
        given |= {"api_certificate": certificate} if certificate else {}
    return given | ask_for_pair(provider)


def ask_for_pair(provider: Provider) -> dict[str, Any]:
    """A Consumer ID and Secret, or the one token that stands for both."""
    if provider.auth is Auth.BEARER:
        return {"bearer_token": ask("Token", _text("bearer_token"), hidden=True)}
    return {
        "consumer_id": ask("Consumer ID", _text("consumer_id")),
        "consumer_secret": ask("Consumer Secret", _text("consumer_secret"), hidden=True),
    }


def ask_for_renewal(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored fields with a new pair, and with a new certificate where there was one."""
    name = stored.get("provider", "aeries")
    renewed = dict(stored)
    if "bearer_token" in stored:
        return renewed | {"bearer_token": ask("Token", _text("bearer_token"), hidden=True)}
    renewed |= ask_for_pair(PROVIDERS[name])
    if "api_certificate" in stored:
        question = f"API Certificate (Enter keeps the stored one, {NONE} takes it out)"
        answer = ask(question, _text("api_certificate", optional=True), hidden=True, default="")
        if answer == NONE:
            del renewed["api_certificate"]
        elif answer:
            renewed["api_certificate"] = answer
    return renewed


def as_stored(given: Mapping[str, Any], base_url: str | None = None) -> str:
    """The fields as a secret's text; ``base_url`` as it turned out to be."""
    return json.dumps({**given, **({"base_url": base_url} if base_url else {})}, indent=2)


def tags(district: str, provider: str) -> dict[str, str]:
    """What marks a secret as ours, for policies and for finding it."""
    return {"application": "rosterwatch", "district": district[:256], "provider": provider}


def _text(name: str, *, optional: bool = False) -> Callable[[str], str]:
    def check(answer: str) -> str:
        mistakes = fields.check_texts({name: answer}, (name,)) if answer or not optional else []
        if mistakes:
            raise ValueError(mistakes[0])
        return answer

    return check


def _url(provider: Provider) -> Callable[[str], str]:
    def check(answer: str) -> str:
        _text("base_url")(answer)
        try:
            normalise(answer, subdirectory=provider.subdirectory)
        except ValueError as problem:
            raise ValueError(f"the URL {problem}") from None
        return answer

    return check
