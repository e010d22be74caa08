"""Every entry of a provider is whole, and no product's words turn up in the alerts of another."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from rosterwatch import oneroster
from rosterwatch.causes import CAUSES
from rosterwatch.finding import Finding
from rosterwatch.providers import PROVIDERS, Auth, Provider, TokenDialect
from rosterwatch.wording import Wording

#: Causes that only Aeries can have: its own API, and the shape of its certificate.
AERIES_ONLY = {name for name in CAUSES if name.startswith("api_certificate")} | {
    "certificate_in_consumer_field",
    "oneroster_disabled",
}
OTHERS = [provider for provider in PROVIDERS.values() if provider.name != "aeries"]
AERIES_WORDS = re.compile(
    r"Aeries|Consumer ID|Consumer Secret|IIS|[Aa]pplication pool|Student portal|API Security|default database"
)


class Everything(dict[str, str]):
    """Facts for any template."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def told(provider: Provider, name: str) -> str:
    """All that a finding says, as an alert of this provider's district has it."""
    words = provider.wording
    own = {"product": words.product, "credentials": words.credentials, "either": words.either, "revoked": words.revoked}
    finding = Finding(CAUSES[name], Everything(provider=provider.name, **own))
    return "\n".join((finding.headline, *finding.next_steps))


@pytest.mark.parametrize("name", sorted(set(CAUSES) - AERIES_ONLY))
@pytest.mark.parametrize("provider", OTHERS, ids=lambda provider: str(provider.name))
def test_no_alert_of_another_product_speaks_of_aeries(provider: Provider, name: str) -> None:
    assert not AERIES_WORDS.search(told(provider, name))


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: str(provider.name))
def test_an_entry_is_whole(provider: Provider) -> None:
    assert PROVIDERS[provider.name] is provider
    assert provider.required
    assert set(provider.required + provider.optional) <= set(oneroster.ENVELOPES)
    for field in dataclasses.fields(Wording):
        value: Any = getattr(provider.wording, field.name)
        assert value, field.name
        for step in value if isinstance(value, tuple) else ():
            assert step.endswith((".", "}")), step
    assert all(fact.text.endswith(".") and fact.source for fact in provider.facts)
    assert all(dialect.path.startswith("/") for dialect in provider.token_dialects)
    assert all(dialect.auth.asks_for_token for dialect in provider.token_dialects)


@pytest.mark.parametrize("provider", OTHERS, ids=lambda provider: str(provider.name))
def test_a_product_is_named_where_its_fix_is_made(provider: Provider) -> None:
    steps = "\n".join(provider.wording.reissue + provider.wording.enable + provider.wording.permit)
    if not provider.name.startswith("generic"):
        assert provider.wording.product.removeprefix("the ").split(maxsplit=1)[0] in steps


def test_the_words_of_the_issue_are_there() -> None:
    assert "Regenerate Client ID and Secret" in "".join(PROVIDERS["powerschool"].wording.reissue)
    assert "Digital Learning Applications" in "".join(PROVIDERS["infinite_campus"].wording.renew)
    assert "Renew" in "".join(PROVIDERS["infinite_campus"].wording.renew)


def test_nobody_gets_the_dialect_with_the_secret_in_the_query_without_asking() -> None:
    used = {dialect.auth for provider in PROVIDERS.values() for dialect in provider.token_dialects}
    assert Auth.AERIES_V1_CODE not in used | {provider.auth for provider in PROVIDERS.values()}


def test_a_token_path_is_below_the_base_url_or_a_url_of_its_own() -> None:
    assert TokenDialect("token", "/token").url("https://sis.example.org/a") == "https://sis.example.org/a/token"
    whole = "https://accounts.example.org/token?appName=x"
    assert TokenDialect("token", whole).url("https://sis.example.org/a") == whole
