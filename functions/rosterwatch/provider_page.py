"""Pure: what is known of the SIS products, as people read it: ``rosterwatch providers NAME``, and ``docs/providers.md``."""

from __future__ import annotations

from typing import Final

from rosterwatch.oneroster import DATA_PATHS, OPTIONAL, REQUIRED
from rosterwatch.providers import PROVIDERS, Auth, Provider

_AUTH_WORDS: Final = {
    Auth.OAUTH2_BASIC: "OAuth 2 client credentials, id and secret as they are in a Basic header",
    Auth.OAUTH2_BASIC_ENCODED: "the same, each form-encoded first (RFC 6749 section 2.3.1)",
    Auth.OAUTH2_POST: "OAuth 2 client credentials, id and secret in the form",
    Auth.OAUTH1_SHA1: "OAuth 1.0a, every request signed with HMAC-SHA1",
    Auth.OAUTH1_SHA256: "OAuth 1.0a, every request signed with HMAC-SHA256",
    Auth.BEARER: "a token that was handed over and does not change: `bearer_token` instead of the pair",
    Auth.AERIES_V1_CODE: "Aeries' oldest dialect, with the secret in a query: only when nothing else works",
}
_FIELDS: Final = (
    ("provider", "one of the names below; `aeries` without it"),
    ("base_url", "what stands before `/ims/oneroster`, or the whole data URL, as it was handed over"),
    ("consumer_id, consumer_secret", "the pair, whatever the product calls it"),
    ("bearer_token", 'instead of the pair, with `"auth": "bearer"`'),
    ("api_certificate", "Aeries only"),
    ("auth", "how to authenticate, if not as the product has it: see below"),
    ("token_url", "the whole token URL, with a query if it needs one; on another host only because you say so"),
    ("data_url", "the whole data URL down to its version, if it is not where the specification puts it"),
    ("version", "`1.1` or `1.2`, if not as the product has it"),
    ("scopes", "the scopes to ask for, instead of those that the collections need; `[]` for none"),
    ("expires_on", "the day on which the credentials end, such as `2027-06-30`: warned of from 60 days before"),
    ("terms", 'the school calendar, such as `[["2026-08-12", "2027-06-04"]]`, where the server\'s own is missing or wrong'),
    ("required, optional", "the collections that must hold records, and those that are looked at"),
)


def lines(provider: Provider) -> list[str]:
    """Everything the entry of a provider says, a line each."""
    words = provider.wording
    told = [
        f"{provider.name}: {words.product}, OneRoster {provider.version}, auth {provider.auth}",
        f"  credentials: {words.credentials}, on {words.credentials_page}",
        *(f"  token: {dialect.path}" + ("" if dialect.scoped else " (no scopes)") for dialect in provider.token_dialects),
        f"  data: {provider.data_path or DATA_PATHS[provider.version]}",
    ]
    return told + [f"  {'' if fact.sure else '(not sure) '}{fact.text} [{fact.source}]" for fact in provider.facts]


def page() -> str:
    """All of it as a document."""
    head = (
        "# Providers\n\nWhat differs between SIS products is data: an entry in `functions/rosterwatch/providers.py`, its words in "
        "`wording.py`. Where an entry is wrong for a district, the district's secret overrides it. `rosterwatch check` without "
        "`--provider` finds out what a server is, with eight requests at most, and says what to store.\n\nThis page is made from "
        "the entries by `make docs`.\n\n## A district's secret\n\nOnly `base_url` and the credentials are required.\n\n"
    )
    named = ((name.replace(", ", "`, `"), text) for name, text in _FIELDS)
    fields = ["| Field | What it says |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in named)]
    ways = ["| `auth` | How |", "|---|---|", *(f"| `{auth}` | {_AUTH_WORDS[auth]} |" for auth in Auth)]
    default = f"Required by default: {', '.join(REQUIRED)}. Optional: {', '.join(OPTIONAL)}."
    parts = [head + "\n".join(fields), default, "## Ways to authenticate", "\n".join(ways), "## Products"]
    return "\n\n".join([*parts, *(_entry(provider) for provider in PROVIDERS.values())]) + "\n"


def _entry(provider: Provider) -> str:
    words = provider.wording
    tokens = ", ".join(f"`{dialect.path}`" + ("" if dialect.scoped else " (no scopes)") for dialect in provider.token_dialects)
    rows = [
        ("OneRoster", provider.version),
        ("auth", f"`{provider.auth}`"),
        ("Token", f"{tokens}, below the base URL, in this order" if tokens else "none"),
        ("Data", f"`{provider.data_path or DATA_PATHS[provider.version]}` below the base URL"),
        ("Credentials", f"{words.credentials}, on {words.credentials_page}"),
        ("Known by its host", ", ".join(f"`{host}`" for host in provider.hosts)),
    ]
    table = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows if value)]
    sure = [f"- {fact.text} ({fact.source})" for fact in provider.facts if fact.sure]
    unsure = [f"- {fact.text} ({fact.source})" for fact in provider.facts if not fact.sure]
    parts = [f"### {provider.name}: {words.product}", "\n".join(table), *(["\n".join(sure)] if sure else [])]
    return "\n\n".join(parts + (["Not sure:", "\n".join(unsure)] if unsure else []))
