"""What AWS answers becomes a sentence that says what to do. The deployed stack itself is tried in `tests/deploy`."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions

from rosterwatch.stack import StackError, may, sentence, spoken


def refusal(code: str) -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": "secret-in-a-message"}}, "Query")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.NoCredentialsError(), "no AWS credentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "no AWS credentials"),
        (exceptions.UnauthorizedSSOTokenError(), "sign-in has ended"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="expired"), "sign-in has ended"),
        (exceptions.ProfileNotFound(profile="kim"), "kim"),
        (exceptions.NoRegionError(), "--region"),
        (exceptions.EndpointConnectionError(endpoint_url="https://example.org"), "cannot be reached"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://example.org"), "cannot be reached"),
        (exceptions.ReadTimeoutError(endpoint_url="https://example.org"), "cannot be reached"),
        (exceptions.ProxyConnectionError(proxy_url="http://example.org"), "HTTPS_PROXY"),
        (exceptions.SSLError(endpoint_url="https://example.org", error=OSError("-")), "not trusted"),
        (exceptions.InvalidConfigError(error_msg="line 1"), "line 1"),
        (exceptions.DataNotFoundError(data_path="x"), "DataNotFoundError"),
        (refusal("AccessDeniedException"), "lack the right to Query"),
        (refusal("AccessDenied"), "docs/operators-iam.md"),
        (refusal("ExpiredTokenException"), "expired"),
        (refusal("UnrecognizedClientException"), "does not know these credentials"),
        (refusal("ThrottlingException"), "slow down"),
        (refusal("ProvisionedThroughputExceededException"), "slow down"),
        (refusal("InternalServerError"), "AWS refuses Query: InternalServerError."),
    ],
)
def test_whatever_aws_answers_is_one_sentence(error: Exception, words: str) -> None:
    said = sentence(error)
    assert words in said
    assert said.endswith((".", "--profile."))
    assert "\n" not in said
    assert "secret-in-a-message" not in said
    with pytest.raises(StackError), spoken():
        raise error


def test_a_right_is_lacking_only_if_aws_says_so() -> None:
    def attempt(code: str) -> Any:
        raise refusal(code)

    assert may(lambda: None)
    assert may(lambda: attempt("ResourceNotFoundException"))
    assert may(lambda: attempt("ConditionalCheckFailedException"))
    assert not may(lambda: attempt("AccessDeniedException"))
