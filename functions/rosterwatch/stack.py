"""The deployed stack as the command line finds it: by CloudFormation's outputs. What AWS refuses becomes a sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

import boto3
from botocore import exceptions
from botocore.config import Config

from rosterwatch.board import BoardStore
from rosterwatch.district import SecretFault, SecretTrouble
from rosterwatch.health import State
from rosterwatch.races import NewerItemError
from rosterwatch.secrets import SecretStore, SecretValue, read_key
from rosterwatch.state import StateError, StateStore, UnreadError

#: What the commands need of the stack. One of an older release may lack some of it.
OUTPUTS: Final = ("DispatchFunction", "SecretPrefix", "TableName", "QueueUrl", "FingerprintKeyArn")
_PATIENT: Final = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60)
_LOOK_AGAIN_SECONDS: Final = 1.0


class StackError(Exception):
    """When AWS or the stack cannot be used: a sentence that says what to do about it."""


@dataclass(frozen=True)
class Stack:
    """One deployed stack. ``parameters`` are those that it was deployed with."""

    name: str
    connect: Callable[[str], Any]
    outputs: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    clock_skew: float | None = None

    @cached_property
    def states(self) -> StateStore:
        """The districts' states."""
        return StateStore(self.connect("dynamodb"), self.outputs["TableName"])

    @cached_property
    def board(self) -> BoardStore:
        """Problems, incidents and mutes."""
        return BoardStore(self.connect("dynamodb"), self.outputs["TableName"])

    @cached_property
    def secrets(self) -> SecretStore:
        """The districts' secrets."""
        return SecretStore(self.connect("secretsmanager"), self.outputs["SecretPrefix"])

    def key(self) -> bytes | None:
        """The fingerprint key; ``None`` if whoever asks may not read it."""
        try:
            return read_key(self.connect("secretsmanager"), self.outputs["FingerprintKeyArn"])
        except exceptions.ClientError as error:
            if _is_denied(error):
                return None
            raise

    def secret(self, district: str) -> SecretValue | SecretFault:
        """A district's secret. That whoever asks may not read it says nothing about whether the stack may."""
        value = self.secrets.read_one(district)
        if isinstance(value, SecretFault) and value.trouble is SecretTrouble.ACCESS_DENIED:
            raise StackError(lacking("GetSecretValue"))
        return value

    def who(self) -> str:
        """Who is at the terminal, as AWS knows them: ``role/name`` or ``user/name``."""
        arn: str = self.connect("sts").get_caller_identity()["Arn"]
        return arn.rpartition(":")[2].removeprefix("assumed-role/")

    def request_visits(self, district: str | None = None) -> None:
        """Have the stack visit a district now, or all of them as at a tick of the schedule."""
        event = {"district": district} if district else {"reason": "recheck"}
        answer = self.connect("lambda").invoke(FunctionName=self.outputs["DispatchFunction"], Payload=json.dumps(event).encode())
        if answer.get("FunctionError"):
            raise StackError(f"The function {self.outputs['DispatchFunction']} failed; its logs say why.")

    def state(self, district: str) -> State | None:
        """What is remembered of one district."""
        state = self.states.read([district]).get(district)
        if isinstance(state, StateError):
            raise StackError(f"The stored state of {district} is {state}.")
        return state

    def wait(self, district: str, seen: Callable[[State | None], bool], seconds: float) -> State | None:
        """The district's state, as soon as ``seen`` says that it is what was waited for, or as it is when time is up."""
        deadline = time.monotonic() + seconds
        while not seen(state := self.state(district)) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_SECONDS)
        return state


def open_stack(name: str, region: str | None = None, profile: str | None = None) -> Stack:
    """Find the stack. Raises StackError or what ``spoken`` turns into one."""
    session = boto3.Session(region_name=region, profile_name=profile)
    if session.region_name is None:
        raise exceptions.NoRegionError
    clients: dict[str, Any] = {}

    def connect(service: str) -> Any:
        if service not in clients:
            make: Any = session.client
            clients[service] = make(service, config=_PATIENT)
        return clients[service]

    try:
        answer = connect("cloudformation").describe_stacks(StackName=name)
    except exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise StackError(
            f"There is no stack {name} in {session.region_name}: name yours with --stack and --region, or deploy it first."
        ) from None
    stack = answer["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = [output for output in OUTPUTS if output not in outputs]
    if missing:
        state = f"is {stack['StackStatus']} and " if not stack["StackStatus"].endswith("COMPLETE") else ""
        raise StackError(
            f"The stack {name} {state}has no output {', '.join(missing)}: it is no Rosterwatch, or not deployed to its end."
        )
    parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
    return Stack(name, connect, outputs, parameters, _skew(answer))


def _skew(answer: Any) -> float | None:
    """By how many seconds this machine's clock is ahead of AWS'."""
    sent = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(sent)).total_seconds() if sent else None
    except (TypeError, ValueError):
        return None


@contextmanager
def spoken() -> Iterator[None]:
    """Whatever AWS answers with inside ends as a StackError."""
    try:
        yield
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise StackError(sentence(error)) from None
    except UnreadError:
        raise StackError("The table is too busy just now: try again in a minute.") from None
    except NewerItemError:
        raise StackError(
            "Nothing was changed: a newer release of Rosterwatch has written what is stored. Install that release here."
        ) from None


def sentence(error: Exception) -> str:
    """What an exception of botocore means for the person at the terminal, and what to do."""
    if isinstance(error, exceptions.ClientError):
        return _refusal(error)
    for kinds, words in _SENTENCES:
        if isinstance(error, kinds):
            return words.format(error=str(error).rstrip("."))
    return f"AWS cannot be used: {type(error).__name__}."


_SENTENCES: Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((exceptions.ProfileNotFound,), "{error}: name one of your own with --profile."),
    (
        (exceptions.InvalidConfigError, exceptions.ConfigParseError, exceptions.ConfigNotFound),
        "The AWS configuration on this machine cannot be used: {error}.",
    ),
    (
        (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError),
        "There are no AWS credentials: sign in (aws sso login, aws configure), or name a profile with --profile.",
    ),
    (
        (exceptions.TokenRetrievalError, exceptions.SSOError, exceptions.UnauthorizedSSOTokenError),
        "The AWS sign-in has ended: run aws sso login.",
    ),
    ((exceptions.NoRegionError,), "No AWS region is set: name it with --region, or set AWS_REGION."),
    ((exceptions.ProxyConnectionError,), "The proxy that leads to AWS cannot be reached: look at HTTPS_PROXY."),
    (
        (exceptions.SSLError,),
        "The TLS certificate of AWS is not trusted here: look at AWS_CA_BUNDLE, or at what inspects TLS on the way.",
    ),
    (
        (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.EndpointConnectionError),
        "AWS cannot be reached from here: look at the network and the region.",
    ),
    ((exceptions.ParamValidationError,), "AWS does not take that: {error}."),
)
_ENDED: Final = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN: Final = (
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthFailure",
)
_BUSY: Final = ("TooManyRequestsException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "SlowDown")


def _refusal(error: exceptions.ClientError) -> str:
    code, operation = _code(error), error.operation_name
    if _is_denied(error):
        return lacking(operation)
    if code in _ENDED:
        return "The AWS credentials have expired: sign in again."
    if code in _UNKNOWN:
        return "AWS does not know these credentials: sign in again, or name another profile with --profile."
    if code in _BUSY or "Throttl" in code:
        return "AWS asks to slow down (throttled): try again in a minute."
    return f"AWS refuses {operation}: {code}."


def _code(error: exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def lacking(operation: str) -> str:
    """That a right is lacking."""
    return f"AWS does not let you do this: you lack the right to {operation}. docs/operators-iam.md lists all that is needed."


def may(attempt: Callable[[], object]) -> bool:
    """Whether AWS lets us do something; that it fails for another reason does not matter."""
    try:
        attempt()
    except exceptions.ClientError as error:
        return not _is_denied(error)
    return True


def _is_denied(error: exceptions.ClientError) -> bool:
    code = _code(error)
    return code.startswith("AccessDenied") or code in ("AuthorizationError", "UnauthorizedOperation", "NotAuthorized")
