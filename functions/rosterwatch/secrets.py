"""AWS Secrets Manager: one secret per district under a prefix. Values are handed out redacted from every ``repr``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from rosterwatch.district import SecretFault, SecretTrouble

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# BatchGetSecretValue takes up to 20 secrets a call (anchors section 4.1).
BATCH_SIZE: Final = 20

_TROUBLES: Final = {
    "ResourceNotFoundException": (SecretTrouble.MISSING, "the secret does not exist"),
    "InvalidRequestException": (SecretTrouble.MISSING, "the secret is scheduled for deletion"),
    "AccessDeniedException": (SecretTrouble.ACCESS_DENIED, "reading the secret is not allowed"),
    "AccessDenied": (SecretTrouble.ACCESS_DENIED, "reading the secret is not allowed"),
    "DecryptionFailure": (SecretTrouble.ACCESS_DENIED, "the secret's key does not let us decrypt it"),
}


@dataclass(frozen=True, slots=True)
class SecretValue:
    """One version of a district's secret. ``changed_at`` is when this version was stored."""

    text: str = field(repr=False)
    version: str
    changed_at: datetime | None


class SecretStore:
    """The districts' secrets. Our own failure (throttled, no network) raises botocore's exceptions."""

    def __init__(self, client: SecretsManagerClient, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def name_of(self, district: str) -> str:
        """The full name of a district's secret."""
        return self._prefix + district

    def districts(self) -> Iterator[str]:
        """The districts that have a secret. Names only; no value is read."""
        pages = self._client.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [self._prefix]}])
        for page in pages:
            for secret in page["SecretList"]:
                # The filter matches words within names as well, so look again.
                name = secret.get("Name", "")
                if name.startswith(self._prefix) and len(name) > len(self._prefix):
                    yield name.removeprefix(self._prefix)

    def read(self, districts: Iterable[str]) -> dict[str, SecretValue | SecretFault]:
        """The secrets of many districts, twenty a call; what cannot be read is a fault of that district alone."""
        found: dict[str, SecretValue | SecretFault] = {}
        for batch in _batches(districts, BATCH_SIZE):
            found |= self._read_batch(batch)
        return found

    def read_one(self, district: str, stage: str = "AWSCURRENT") -> SecretValue | SecretFault:
        """One secret, afresh."""
        try:
            return _value(district, self._client.get_secret_value(SecretId=self.name_of(district), VersionStage=stage))
        except ClientError as error:
            return _fault(district, error.response.get("Error", {}).get("Code", ""), error)

    def exists(self, district: str) -> bool | None:
        """Whether a district has a secret; ``None``: it has one that is scheduled for deletion."""
        try:
            answer = self._client.describe_secret(SecretId=self.name_of(district))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return False
            raise
        return True if answer.get("DeletedDate") is None else None

    def create(self, district: str, text: str, tags: Mapping[str, str]) -> None:
        """Store a new district's secret."""
        self._client.create_secret(
            Name=self.name_of(district),
            Description="OneRoster credentials of a district, watched by Rosterwatch.",
            SecretString=text,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )

    def replace(self, district: str, text: str) -> None:
        """Store a new version of a district's secret."""
        self._client.put_secret_value(SecretId=self.name_of(district), SecretString=text)

    def delete(self, district: str, days: int) -> None:
        """Have a district's secret deleted after ``days`` days, within which it can be restored."""
        self._client.delete_secret(SecretId=self.name_of(district), RecoveryWindowInDays=days)

    def _read_batch(self, districts: list[str]) -> dict[str, SecretValue | SecretFault]:
        try:
            answer = self._client.batch_get_secret_value(SecretIdList=[self.name_of(district) for district in districts])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _TROUBLES:
                raise
            # One secret's trouble can refuse the whole call: then ask for each by itself.
            return {district: self._read_alone(district) for district in districts}
        found: dict[str, SecretValue | SecretFault] = {}
        for secret in answer.get("SecretValues", []):
            district = secret["Name"].removeprefix(self._prefix)
            found[district] = _value(district, secret)
        for district in districts:
            if district not in found:  # in Errors, or in neither list: the single call says which
                found[district] = self._read_alone(district)
        return found

    def _read_alone(self, district: str) -> SecretValue | SecretFault:
        """One secret of a batch: whatever is wrong with it must not cost the others of the batch theirs."""
        try:
            return self.read_one(district)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            return SecretFault(district, SecretTrouble.UNREADABLE, (f"Secrets Manager answers {code or 'with an error'}",))


def read_key(client: SecretsManagerClient, secret: str) -> bytes:
    """The stack's fingerprint key. Raises botocore's exceptions."""
    return client.get_secret_value(SecretId=secret)["SecretString"].encode()


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    listed = list(dict.fromkeys(items))
    return (listed[start : start + size] for start in range(0, len(listed), size))


def _value(district: str, secret: Any) -> SecretValue | SecretFault:
    text = secret.get("SecretString")
    if text is None:
        return SecretFault(
            district, SecretTrouble.MALFORMED, ("the secret is binary: store it as text, one JSON object of fields",)
        )
    return SecretValue(text, secret.get("VersionId", ""), secret.get("CreatedDate"))


def _fault(district: str, code: str, error: ClientError) -> SecretFault:
    if code not in _TROUBLES:
        raise error
    trouble, words = _TROUBLES[code]
    return SecretFault(district, trouble, (words,))
