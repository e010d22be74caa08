"""A table in memory that holds to the conditions DynamoDB would hold to: as much of its client as this project uses.

``before`` and ``after`` are called around every write with a name for it, and ``reading`` before every read; they may raise: a
crash, a throttle, a conflict.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE: Final = "table"
Item = dict[str, Any]
Key = tuple[str, str]


def refusal(code: str, operation: str, *reasons: str) -> ClientError:
    """What the real client raises."""
    response: Any = {"Error": {"Code": code, "Message": "no"}, "CancellationReasons": [{"Code": reason} for reason in reasons]}
    return ClientError(response, operation)


class Table:
    """The items, and the client's calls on them. ``inserted`` are the keys of new items, as the stream tells them."""

    def __init__(self, page: int = 100) -> None:
        self.items: dict[Key, Item] = {}
        self.inserted: list[Key] = []
        self.page = page
        self.before: Callable[[str], None] = lambda _what: None
        self.after: Callable[[str], None] = lambda _what: None
        self.reading: Callable[[str], None] = lambda _what: None

    @property
    def client(self) -> DynamoDBClient:
        """The table as those who use it know it."""
        return cast("DynamoDBClient", self)

    def under(self, pk: str) -> dict[str, Item]:
        """The items of one partition by their sort key."""
        return {key[1]: item for key, item in sorted(self.items.items()) if key[0] == pk}

    # -- the client's calls -------------------------------------------------------------------------------------------------

    def put_item(self, **request: Any) -> Item:
        self._write("PutItem", {"Put": request})
        return {}

    def delete_item(self, **request: Any) -> Item:
        gone = copy.deepcopy(self.items.get(_key(request["Key"])))
        self._write("DeleteItem", {"Delete": request})
        return {"Attributes": gone} if gone and request.get("ReturnValues") == "ALL_OLD" else {}

    def update_item(self, **request: Any) -> Item:
        self._write("UpdateItem", {"Update": request})
        return {}

    def transact_write_items(self, *, TransactItems: list[Item]) -> Item:  # noqa: N803 - as the client has it
        self._write("TransactWriteItems", *TransactItems)
        return {}

    def get_item(self, **request: Any) -> Item:
        self.reading("GetItem")
        item = self.items.get(_key(request["Key"]))
        return {"Item": copy.deepcopy(item)} if item else {}

    def batch_get_item(self, *, RequestItems: Item) -> Item:  # noqa: N803 - as the client has it
        self.reading("BatchGetItem")
        found = [self.items.get(_key(key)) for key in RequestItems[TABLE]["Keys"]]
        return {"Responses": {TABLE: copy.deepcopy([item for item in found if item is not None])}, "UnprocessedKeys": {}}

    def query(self, **request: Any) -> Item:
        self.reading("Query")
        assert request["KeyConditionExpression"] == "pk = :pk"
        pk = request["ExpressionAttributeValues"][":pk"]["S"]
        start = request.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        found = [item for sk, item in self.under(pk).items() if sk > start]
        if not request.get("ScanIndexForward", True):
            return {"Items": copy.deepcopy(found[::-1][: request["Limit"]])}
        answer: Item = {"Items": copy.deepcopy(found[: self.page])}
        if len(found) > self.page:
            last = found[self.page - 1]
            answer["LastEvaluatedKey"] = {"pk": last["pk"], "sk": last["sk"]}
        return answer

    def get_paginator(self, operation: str) -> Table:
        assert operation == "query"
        return self

    def paginate(self, **request: Any) -> Iterator[Item]:
        while True:
            answer = self.query(**request)
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # -- writing ------------------------------------------------------------------------------------------------------------

    def _write(self, operation: str, *actions: Item) -> None:
        [(_, first)] = actions[0].items()
        what = f"{operation} {_key(first.get('Item') or first['Key'])[0]}"
        self.before(what)
        verdicts = ["None" if self._holds(action) else "ConditionalCheckFailed" for action in actions]
        if set(verdicts) != {"None"}:
            if operation == "TransactWriteItems":
                raise refusal("TransactionCanceledException", operation, *verdicts)
            error = refusal("ConditionalCheckFailedException", operation)
            if first.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                response: Any = error.response
                response["Item"] = copy.deepcopy(self.items.get(_key(first.get("Item") or first["Key"]), {}))
            raise error
        for action in actions:
            self._apply(action)
        self.after(what)

    def _holds(self, action: Item) -> bool:
        [(_, request)] = action.items()
        assert request["TableName"] == TABLE
        held = self.items.get(_key(request.get("Item") or request["Key"]), {})
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        return _true(request.get("ConditionExpression", ""), held, names, values)

    def _apply(self, action: Item) -> None:
        [(kind, request)] = action.items()
        key = _key(request.get("Item") or request["Key"])
        if kind == "Delete":
            self.items.pop(key, None)
            return
        if key not in self.items:
            self.inserted.append(key)
        if kind == "Put":
            self.items[key] = copy.deepcopy(request["Item"])
            return
        held = self.items.setdefault(key, dict(request["Key"]))
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        for name, only_first, value in re.findall(r"(#?\w+) = (?:if_not_exists\((\w+), )?(:\w+)", request["UpdateExpression"]):
            if not only_first or only_first not in held:
                held[names.get(name, name)] = values[value]


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _true(condition: str, held: Item, names: Item, values: Item) -> bool:
    """Conditions as this project writes them: ``AND`` of parts, of which one in brackets may be an ``OR``."""
    if " AND " in condition:
        return all(_true(part, held, names, values) for part in condition.split(" AND "))
    if " OR " in condition:
        return any(_true(part, held, names, values) for part in re.sub(r"^\((.*)\)$", r"\1", condition).split(" OR "))
    if not condition:
        return True
    absent = re.fullmatch(r"attribute_not_exists\((\w+)\)", condition)
    if absent:
        return absent[1] not in held
    name, sign, value = condition.split(" ")
    there = held.get(names.get(name, name))
    if sign == "<=":
        return there is not None and float(there["N"]) <= float(values[value]["N"])
    assert sign == "="
    return bool(there == values[value])
