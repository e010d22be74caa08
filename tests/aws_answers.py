"""Answers of AWS as the services give them when a call fails, whole or in part."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def saying(self, document: object) -> Answer:
        """The same answer with another body. DynamoDB's checksum goes with the old one."""
        kept = {name: value for name, value in self.headers.items() if name.lower() != "x-amz-crc32"}
        return Answer(self.status, kept, json.dumps(document).encode())


#: What each service says, by the names of the errors: the status, and the prefix of the name.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and the services' API references.
_DYNAMODB: Final = "com.amazonaws.dynamodb.v20120810#"
ERRORS: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "dynamodb": {
        "ProvisionedThroughputExceededException": (400, _DYNAMODB),
        "ThrottlingException": (400, "com.amazon.coral.availability#"),
        "RequestLimitExceeded": (400, _DYNAMODB),
        "InternalServerError": (500, _DYNAMODB),
        "ServiceUnavailable": (503, ""),
        "TransactionConflictException": (400, _DYNAMODB),
        "TransactionCanceledException": (400, _DYNAMODB),
    },
    "secretsmanager": {
        "ThrottlingException": (400, ""),
        "InternalServiceError": (500, ""),
        "ServiceUnavailable": (503, ""),
    },
    "sqs": {
        "RequestThrottled": (400, "com.amazonaws.sqs#"),
        "InternalFailure": (500, ""),
        "ServiceUnavailable": (503, ""),
    },
    "sns": {
        "Throttled": (429, ""),
        "InternalError": (500, ""),
        "ServiceUnavailable": (503, ""),
    },
}
THROTTLES: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamodb": ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"),
    "secretsmanager": ("ThrottlingException",),
    "sqs": ("RequestThrottled",),
    "sns": ("Throttled",),
}
FAILURES: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamodb": ("InternalServerError", "ServiceUnavailable"),
    "secretsmanager": ("InternalServiceError", "ServiceUnavailable"),
    "sqs": ("InternalFailure", "ServiceUnavailable"),
    "sns": ("InternalError", "ServiceUnavailable"),
}


def failure(service: str, code: str) -> Answer:
    """An error as the service words it."""
    status, prefix = ERRORS[service][code]
    request = str(uuid.uuid4())
    if service == "sns":
        sender = "Sender" if status < 500 else "Receiver"
        text = (
            '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
            f"<Error><Type>{sender}</Type><Code>{code}</Code><Message>Injected</Message></Error>"
            f"<RequestId>{request}</RequestId></ErrorResponse>"
        )
        return Answer(status, {"Content-Type": "text/xml", "x-amzn-RequestId": request}, text.encode())
    document: dict[str, Any] = {"__type": prefix + code, "message": "Injected"}
    if code == "TransactionCanceledException":
        document["CancellationReasons"] = [{"Code": "TransactionConflict", "Message": "Injected"}, {"Code": "None"}]
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": request}
    if service == "sqs":
        headers["x-amzn-query-error"] = f"{code};{'Sender' if status < 500 else 'Receiver'}"
    return Answer(status, headers, json.dumps(document).encode())


@dataclass(frozen=True, slots=True)
class Part:
    """A call of many items of which some are refused. ``body`` asks for the others; ``None``: there are none."""

    operation: str
    body: bytes | None
    refused: list[Any]
    table: str = ""

    @classmethod
    def of(cls, operation: str, body: bytes, chance: float) -> Part | None:
        """Refuse one item or more, as chance will have it. ``None``: it is not a call of many items."""
        if operation not in ("dynamodb:BatchGetItem", "secretsmanager:BatchGetSecretValue", "sqs:SendMessageBatch"):
            return None
        document, table = json.loads(body), ""
        if operation == "dynamodb:BatchGetItem":
            [table] = document["RequestItems"]
            place, name = document["RequestItems"][table], "Keys"
        else:
            place, name = document, "Entries" if operation == "sqs:SendMessageBatch" else "SecretIdList"
        items = place[name]
        many = 1 + int(chance * len(items))
        refused, place[name] = items[-many:], items[:-many]
        return cls(operation, json.dumps(document).encode() if place[name] else None, refused, table)

    def alone(self) -> Answer:
        """The answer when nothing was taken."""
        answers: dict[str, dict[str, object]] = {
            "dynamodb:BatchGetItem": {"Responses": {self.table: []}, "UnprocessedKeys": {}},
            "secretsmanager:BatchGetSecretValue": {"SecretValues": [], "Errors": []},
            "sqs:SendMessageBatch": {"Successful": []},
        }
        nothing = json.dumps(answers[self.operation]).encode()
        return self.join(Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, nothing))

    def join(self, answer: Answer) -> Answer:
        """The answer for the others, with what was refused named in it."""
        if answer.status != 200:
            return answer
        document = answer.document
        if self.operation == "dynamodb:BatchGetItem":
            document["UnprocessedKeys"] = {self.table: {"Keys": self.refused, "ConsistentRead": True}}
        elif self.operation == "sqs:SendMessageBatch":
            failed = [
                {"Id": one["Id"], "SenderFault": False, "Code": "InternalError", "Message": "Injected"} for one in self.refused
            ]
            document["Failed"] = [*document.get("Failed", []), *failed]
        else:
            failed = [{"SecretId": one, "ErrorCode": "InternalServiceError", "Message": "Injected"} for one in self.refused]
            document["Errors"] = [*document.get("Errors", []), *failed]
        return answer.saying(document)


def sent_messages(operation: str, answer: Answer) -> int:
    """How many messages an answer says were put on a queue."""
    if answer.status != 200:
        return 0
    if operation == "sqs:SendMessageBatch":
        return len(answer.document.get("Successful", []))
    return int(operation == "sqs:SendMessage")
