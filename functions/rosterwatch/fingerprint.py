"""Knowing a Consumer ID and Secret again without keeping them: a keyed, one-way fingerprint."""

from __future__ import annotations

import hashlib
import hmac

from rosterwatch.district import Credentials


def fingerprint(key: bytes, credentials: Credentials) -> str:
    """``<key id>:<pair id>``, both hex. Equal only for the same pair under the same key.

    The key id lets a reader see that a fingerprint was made with a key that is gone, in which case it proves nothing. The key
    is the stack's own random secret, kept apart from the table, so that the table alone cannot be used to try guesses.
    """
    key_id = hashlib.sha256(b"rosterwatch fingerprint key\0" + key).hexdigest()[:8]
    message = credentials.consumer_id.encode() + b"\0" + credentials.consumer_secret.encode()
    if credentials.bearer_token:
        message += b"\0" + credentials.bearer_token.encode()
    return f"{key_id}:{hmac.new(key, message, hashlib.sha256).hexdigest()[:32]}"


def same_pair(known: str, current: str) -> bool | None:
    """Whether two fingerprints are of the same pair; ``None`` when they were made with different keys."""
    if known.partition(":")[0] != current.partition(":")[0]:
        return None
    return hmac.compare_digest(known, current)
