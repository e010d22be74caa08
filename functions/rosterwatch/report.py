"""A visit and its diagnosis as ``rosterwatch check`` shows them: one JSON object, or lines and a table for a person."""

from __future__ import annotations

from typing import Any

from rosterwatch import evidence
from rosterwatch.discovered import Discovered
from rosterwatch.district import SecretFault
from rosterwatch.finding import Diagnosis, Finding
from rosterwatch.observation import Observation
from rosterwatch.providers import Auth


def to_json(seen: Observation | SecretFault, diagnosis: Diagnosis) -> dict[str, Any]:
    """The object that ``--json`` prints. ``findings`` are in the order of repair; ``cause`` is ``None`` when healthy."""
    first = diagnosis.primary
    observation = seen if isinstance(seen, Observation) else None
    return {
        "status": diagnosis.status.value,
        "cause": first.cause.name if first else None,
        "owner": first.cause.owner.value if first else None,
        "scope": first.cause.scope.value if first else None,
        "severity": first.cause.severity.word if first else None,
        "headline": first.headline if first else "Every required collection is readable and holds records",
        "next_steps": list(first.next_steps) if first else [],
        "evidence": list(first.evidence) if first else [],
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "collections": _collections(observation) if observation else {},
        "base_url": observation.base_url if observation else None,
        "url_changes": list(observation.url_changes) if observation else [],
        "requests": observation.requests if observation else 0,
        "milliseconds": observation.milliseconds if observation else 0,
    }


def discovered_json(found: Discovered | None) -> dict[str, Any] | None:
    """What was found out about a server, and the secret to store for it: its credentials are for the reader to fill in."""
    if found is None:
        return None
    return {
        "provider": found.provider,
        "version": found.version,
        "auth": found.auth.value,
        "token_url": found.token_url,
        "data_url": found.data_url,
        "secret": secret_to_store(found),
        "requests": found.requests,
        "notes": list(found.notes),
    }


def secret_to_store(found: Discovered) -> dict[str, Any]:
    """The secret's fields, with words where its credentials belong."""
    if found.auth is Auth.BEARER:
        return found.secret | {"bearer_token": "<the bearer token>"}
    return found.secret | {"consumer_id": "<the Consumer ID>", "consumer_secret": "<the Consumer Secret>"}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "cause": finding.cause.name,
        "owner": finding.cause.owner.value,
        "scope": finding.cause.scope.value,
        "severity": finding.cause.severity.word,
        "headline": finding.headline,
        "next_steps": list(finding.next_steps),
        "evidence": list(finding.evidence),
        "collections": list(finding.collections),
    }


def _collections(observation: Observation) -> dict[str, Any]:
    return {
        collection.name: {
            "state": collection.state.value,
            "records": collection.records,
            "total": collection.total,
            "status_code": collection.exchange.status if collection.exchange else None,
            "milliseconds": collection.exchange.milliseconds if collection.exchange else 0,
            "required": collection.required,
        }
        for collection in observation.collections
    }


def steps_of_visit(observation: Observation) -> list[str]:
    """What was done before the collections, a line each."""
    lines = [f"base URL changed: {change}" for change in observation.url_changes]
    if observation.systeminfo is not None:
        lines.append(evidence.sentence(observation.systeminfo))
    if observation.token is not None:
        lines += [evidence.sentence(attempt.exchange) for attempt in observation.token.attempts]
    if observation.certificate is not None:
        lines.append(evidence.sentence(observation.certificate))
    if observation.tls_expires_at is not None:
        lines.append(f"TLS certificate valid until {observation.tls_expires_at.date().isoformat()}")
    return lines
