from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from rosterwatch.district import SecretFault, SecretTrouble
from rosterwatch.secrets import SecretStore, SecretValue, read_key

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

STORED = datetime(2026, 10, 6, 14, 5, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rosterwatch/x-a1b2c3"


@pytest.fixture
def client() -> SecretsManagerClient:
    return boto3.client("secretsmanager", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def aws(client: SecretsManagerClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def store(client: SecretsManagerClient) -> SecretStore:
    return SecretStore(client, "rosterwatch/")


def secret(district: str, **content: Any) -> dict[str, Any]:
    content = content or {"SecretString": "{}"}
    return {"ARN": ARN, "Name": f"rosterwatch/{district}", "VersionId": "v" * 32, "CreatedDate": STORED, **content}


def asked(*districts: str) -> dict[str, Any]:
    return {"SecretIdList": [f"rosterwatch/{district}" for district in districts]}


def asked_alone(district: str, stage: str = "AWSCURRENT") -> dict[str, str]:
    return {"SecretId": f"rosterwatch/{district}", "VersionStage": stage}


def fault(found: SecretValue | SecretFault) -> SecretTrouble:
    assert isinstance(found, SecretFault)
    assert found.mistakes
    return found.trouble


def test_districts_of_all_pages_are_listed_and_look_alikes_are_not(store: SecretStore, aws: Stubber) -> None:
    search = {"Filters": [{"Key": "name", "Values": ["rosterwatch/"]}]}
    names = ["rosterwatch/a", "other/rosterwatch/b", "rosterwatch/"]
    aws.add_response("list_secrets", {"SecretList": [{"Name": name} for name in names], "NextToken": "more"}, search)
    aws.add_response("list_secrets", {"SecretList": [{"Name": "rosterwatch/c/d"}, {}]}, {**search, "NextToken": "more"})
    assert list(store.districts()) == ["a", "c/d"]


def test_many_secrets_are_read_twenty_a_call_and_each_once(store: SecretStore, aws: Stubber) -> None:
    names = [f"d{number}" for number in range(23)]
    for batch in (names[:20], names[20:]):
        aws.add_response("batch_get_secret_value", {"SecretValues": [secret(name) for name in batch], "Errors": []}, asked(*batch))
    found = store.read([*names, "d3", "d0"])
    assert set(found) == set(names)
    assert found["d0"] == SecretValue("{}", "v" * 32, STORED)


def test_nothing_to_read_is_no_call(store: SecretStore, aws: Stubber) -> None:
    assert store.read([]) == {}


def test_what_is_wrong_with_one_secret_of_a_batch_is_told_by_a_call_of_its_own(store: SecretStore, aws: Stubber) -> None:
    errors = [{"SecretId": "rosterwatch/gone", "ErrorCode": "ResourceNotFoundException", "Message": "x"}]
    aws.add_response(
        "batch_get_secret_value", {"SecretValues": [secret("good")], "Errors": errors}, asked("good", "gone", "deleted", "locked")
    )
    for name, code in (
        ("gone", "ResourceNotFoundException"),
        ("deleted", "InvalidRequestException"),
        ("locked", "DecryptionFailure"),
    ):
        aws.add_client_error("get_secret_value", code, expected_params=asked_alone(name))
    found = store.read(["good", "gone", "deleted", "locked"])
    assert isinstance(found["good"], SecretValue)
    assert [fault(found[name]) for name in ("gone", "deleted", "locked")] == [
        SecretTrouble.MISSING,
        SecretTrouble.MISSING,
        SecretTrouble.ACCESS_DENIED,
    ]


def test_a_batch_that_is_refused_as_a_whole_is_asked_for_one_by_one(store: SecretStore, aws: Stubber) -> None:
    aws.add_client_error("batch_get_secret_value", "AccessDeniedException", expected_params=asked("good", "bad"))
    aws.add_response("get_secret_value", secret("good"), asked_alone("good"))
    aws.add_client_error("get_secret_value", "AccessDeniedException", expected_params=asked_alone("bad"))
    found = store.read(["good", "bad"])
    assert isinstance(found["good"], SecretValue)
    assert fault(found["bad"]) is SecretTrouble.ACCESS_DENIED


def test_an_error_without_a_name_of_ours_costs_no_other_district_its_secret(store: SecretStore, aws: Stubber) -> None:
    aws.add_response("batch_get_secret_value", {"SecretValues": [secret("good")], "Errors": []}, asked("bad", "good"))
    aws.add_client_error("get_secret_value", "InternalServiceError", expected_params=asked_alone("bad"))
    found = store.read(["bad", "good"])
    assert isinstance(found["good"], SecretValue)
    assert found["bad"] == SecretFault("bad", SecretTrouble.UNREADABLE, ("Secrets Manager answers InternalServiceError",))


def test_a_batch_that_is_throttled_is_our_own_failure(store: SecretStore, aws: Stubber) -> None:
    aws.add_client_error("batch_get_secret_value", "ThrottlingException")
    with pytest.raises(ClientError, match="ThrottlingException"):
        store.read(["a"])


def test_a_binary_secret_is_malformed_with_its_fix(store: SecretStore, aws: Stubber) -> None:
    aws.add_response("batch_get_secret_value", {"SecretValues": [secret("a", SecretBinary=b"\x00")], "Errors": []}, asked("a"))
    found = store.read(["a"])["a"]
    assert fault(found) is SecretTrouble.MALFORMED
    assert "store it as text" in repr(found)


def test_one_secret_is_read_afresh_at_the_stage_that_is_asked_for(store: SecretStore, aws: Stubber) -> None:
    aws.add_response("get_secret_value", secret("a", SecretString="old"), asked_alone("a", "AWSPREVIOUS"))
    assert store.read_one("a", "AWSPREVIOUS") == SecretValue("old", "v" * 32, STORED)
    aws.add_client_error("get_secret_value", "InternalServiceError")
    with pytest.raises(ClientError, match="InternalServiceError"):
        store.read_one("a")


def test_no_representation_of_a_secret_shows_it() -> None:
    assert "s3cret" not in repr(SecretValue("s3cret", "v1", STORED))


def test_the_key_is_the_bytes_of_the_stacks_own_secret(client: SecretsManagerClient, aws: Stubber) -> None:
    aws.add_response("get_secret_value", {"SecretString": "k€y"}, {"SecretId": "arn:key"})
    assert read_key(client, "arn:key") == "k€y".encode()
