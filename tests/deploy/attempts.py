"""Everything that a role of the stack could be wished to do, by resource and action: each a real call of AWS' interface.

What a role may do is found by trying: IAM answers before anything else, so a call that is turned down for another reason
than missing rights was allowed. The calls are made so that one that should not have been allowed does no harm to other tests,
as far as that is possible.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader

from tests.local_aws import REGION, LocalAws

#: What services say when a right is missing, each in its own words.
_REFUSALS: Final = ("AccessDenied", "AuthorizationError", "UnauthorizedOperation")
#: What botocore knows of the services is read once for all roles: reading it takes longer than the calls.
_LOADER: Final[Loader] = create_loader()

Attempt = Callable[["As"], object]


@dataclass(frozen=True, slots=True)
class As:
    """Clients with the rights of one role and no others."""

    aws: LocalAws
    credentials: Mapping[str, str]
    clients: dict[str, Any]

    def __call__(self, service: str) -> Any:
        if service not in self.clients:
            given = self.credentials
            session = botocore.session.Session()
            session.register_component("data_loader", _LOADER)
            session.set_credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
            connect: Any = session.create_client
            config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
            self.clients[service] = connect(
                service, REGION, endpoint_url=self.aws.endpoint, verify=str(self.aws.ca_file), config=config
            )
        return self.clients[service]

    def may(self, attempt: Attempt) -> bool:
        """Whether a call is allowed."""
        try:
            attempt(self)
        except ClientError as error:
            return not error.response["Error"]["Code"].startswith(_REFUSALS)
        return True

    def close(self) -> None:
        """Close the connections."""
        for client in self.clients.values():
            client.close()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What in the account is not the stack's: made for the test, and looks as much like the stack's as it can."""

    secrets: tuple[str, ...]
    table: str
    queue_url: str
    topic: str
    log_group: str
    bucket: str

    @classmethod
    def made(cls, aws: LocalAws) -> Elsewhere:
        """Make it."""
        # Names that a careless wildcard would take for the prefix "rosterwatch/" or for the fingerprint key.
        names = ("elsewhere/eerie", "rosterwatchers/eerie", "rosterwatch-fingerprint-keys-of-another-team")
        for name in names:
            aws.secrets.create_secret(Name=name, SecretString="-")
        aws.dynamodb.create_table(
            TableName="rosterwatch-Table-of-another-team",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        aws.log_store.create_log_group(logGroupName="/aws/lambda/elsewhere")
        aws.client("s3").create_bucket(Bucket="elsewhere")
        return cls(
            names,
            "rosterwatch-Table-of-another-team",
            aws.sqs.create_queue(QueueName="elsewhere")["QueueUrl"],
            aws.sns.create_topic(Name="elsewhere")["TopicArn"],
            "/aws/lambda/elsewhere",
            "elsewhere",
        )


KEY: Final = {"pk": {"S": "district"}, "sk": {"S": "nowhere"}}
_QUERY: Final = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": KEY["pk"]}}
#: Refused by DynamoDB itself, so that nothing is written even where it is allowed.
_NEVER: Final = {"ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pk)"}


def attempts(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    """Resource, action, call."""
    yield from _secrets(aws, elsewhere)
    yield from _tables(aws, elsewhere)
    yield from _queues(aws, elsewhere)
    yield from _topics(aws, elsewhere)
    yield from _functions(aws)
    yield from _logs(aws, elsewhere)
    yield from _account(aws, elsewhere)


def _secrets(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    district, key = "rosterwatch/eerie", aws.outputs["FingerprintKeyArn"]
    yield "every secret's name", "list", lambda a: a("secretsmanager").list_secrets()
    for resource, secret in (("a district's secret", district), ("the fingerprint key", key)):
        yield from _one_secret(resource, secret)
    yield "a district's secret", "create", lambda a: a("secretsmanager").create_secret(Name=district, SecretString="{}")
    for secret in elsewhere.secrets:
        yield from _one_other_secret(f"secret {secret}", secret)


def _one_other_secret(resource: str, secret: str) -> Iterator[tuple[str, str, Attempt]]:
    yield resource, "read", lambda a: a("secretsmanager").get_secret_value(SecretId=secret)
    yield resource, "read, in a batch", lambda a: _batch_of(a, secret)
    yield resource, "change", lambda a: a("secretsmanager").put_secret_value(SecretId=secret, SecretString="{}")


def _batch_of(a: As, secret: str) -> None:
    """A batch is refused by refusing its members: what is not allowed is missing from the values and named in the errors."""
    answer = a("secretsmanager").batch_get_secret_value(SecretIdList=[secret])
    if not answer["SecretValues"]:
        [error] = answer["Errors"]
        raise ClientError({"Error": {"Code": error["ErrorCode"]}}, "BatchGetSecretValue")


def _one_secret(resource: str, secret: str) -> Iterator[tuple[str, str, Attempt]]:
    yield resource, "read", lambda a: a("secretsmanager").get_secret_value(SecretId=secret)
    yield resource, "read, in a batch", lambda a: _batch_of(a, secret)
    yield resource, "describe", lambda a: a("secretsmanager").describe_secret(SecretId=secret)
    yield resource, "change", lambda a: a("secretsmanager").put_secret_value(SecretId=secret, SecretString="{}")
    yield resource, "tag", lambda a: a("secretsmanager").tag_resource(SecretId=secret, Tags=[{"Key": "a", "Value": "b"}])
    yield resource, "open to others", lambda a: a("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy="{}")
    # No role may have a window like that, so nothing is deleted even where it is allowed.
    yield resource, "delete", lambda a: a("secretsmanager").delete_secret(SecretId=secret, RecoveryWindowInDays=1)


def _tables(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    for resource, table in (("the table", aws.outputs["TableName"]), ("another table", elsewhere.table)):
        yield from _one_table(resource, table)
    stream = aws.dynamodb.describe_table(TableName=aws.outputs["TableName"])["Table"]["LatestStreamArn"]
    yield "the table's stream", "read", lambda a: a("dynamodbstreams").describe_stream(StreamArn=stream)
    yield "every stream's name", "list", lambda a: a("dynamodbstreams").list_streams()


def _one_table(resource: str, table: str) -> Iterator[tuple[str, str, Attempt]]:
    yield resource, "query", lambda a: a("dynamodb").query(TableName=table, **_QUERY)
    yield resource, "get an item", lambda a: a("dynamodb").get_item(TableName=table, Key=KEY)
    yield resource, "get items", lambda a: a("dynamodb").batch_get_item(RequestItems={table: {"Keys": [KEY]}})
    yield resource, "scan", lambda a: a("dynamodb").scan(TableName=table)
    yield resource, "put a state", lambda a: a("dynamodb").put_item(TableName=table, Item=KEY, **_NEVER)
    update = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    yield resource, "update a state", lambda a: a("dynamodb").update_item(TableName=table, Key=KEY, **update, **_NEVER)
    yield resource, "delete a state", lambda a: a("dynamodb").delete_item(TableName=table, Key=KEY, **_NEVER)
    change = [{"PutRequest": {"Item": KEY}}]
    yield resource, "write in a batch", lambda a: a("dynamodb").batch_write_item(RequestItems={table: change})
    yield resource, "describe", lambda a: a("dynamodb").describe_table(TableName=table)
    yield (
        resource,
        "switch off its stream",
        lambda a: a("dynamodb").update_table(TableName=table, StreamSpecification={"StreamEnabled": False}),
    )
    yield resource, "delete", lambda a: a("dynamodb").delete_table(TableName=table)


def _queues(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    queues = {
        "the queue of visits": aws.outputs["QueueUrl"],
        "the dead letters": aws.outputs["DeadLettersUrl"],
        "the undelivered triggers": aws.outputs["UndeliveredTriggersUrl"],
        "the unsent alerts": aws.outputs["UnsentAlertsUrl"],
        "the undelivered mail": aws.outputs["UndeliveredMailUrl"],
        "another queue": elsewhere.queue_url,
    }
    for resource, url in queues.items():
        yield from _one_queue(resource, url)


def _one_queue(resource: str, url: str) -> Iterator[tuple[str, str, Attempt]]:
    # A character that no message may hold: what is allowed is turned down for that.
    yield resource, "send", lambda a: a("sqs").send_message(QueueUrl=url, MessageBody="\x01")
    yield resource, "receive", lambda a: a("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0, WaitTimeSeconds=0)
    # A receipt that nobody ever got.
    yield resource, "delete a message", lambda a: a("sqs").delete_message(QueueUrl=url, ReceiptHandle="none")
    yield resource, "look at", lambda a: a("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    yield resource, "purge", lambda a: a("sqs").purge_queue(QueueUrl=url)
    yield resource, "open to others", lambda a: a("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


def _topics(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    topics = {
        "the topic of alerts as text": aws.outputs["AlertTopicArn"],
        "the topic of alerts as cards": aws.outputs["AlertCardTopicArn"],
        "the topic of alerts as alarms": aws.outputs["AlertAlarmTopicArn"],
        "the topic of alerts as events": aws.outputs["AlertEventTopicArn"],
        "the topic of alarms about Rosterwatch": aws.outputs["OpsTopicArn"],
        "another topic": elsewhere.topic,
    }
    for resource, arn in topics.items():
        yield from _one_topic(resource, arn)


def _one_topic(resource: str, arn: str) -> Iterator[tuple[str, str, Attempt]]:
    # Longer than SNS takes.
    yield resource, "publish", lambda a: a("sns").publish(TopicArn=arn, Message="-" * 300_000)
    yield resource, "subscribe", lambda a: a("sns").subscribe(TopicArn=arn, Protocol="none", Endpoint="none")
    yield resource, "open to others", lambda a: a("sns").set_topic_attributes(TopicArn=arn, AttributeName="none")


def _functions(aws: LocalAws) -> Iterator[tuple[str, str, Attempt]]:
    outputs = {
        "dispatch_districts": "DispatchFunction",
        "check_districts": "CheckFunction",
        "send_alerts": "AlertFunction",
        "render_dashboard": "DashboardFunction",
    }
    for resource, output in outputs.items():
        yield from _one_function(resource, aws.outputs[output])


def _one_function(resource: str, name: str) -> Iterator[tuple[str, str, Attempt]]:
    code = io.BytesIO()
    zipfile.ZipFile(code, "w").close()
    # A version that there is not: what is allowed finds nothing to run.
    yield resource, "invoke", lambda a: a("lambda").invoke(FunctionName=name, Qualifier="9999", Payload=b"{}")
    yield (
        resource,
        "change the code",
        lambda a: a("lambda").update_function_code(FunctionName=name, ZipFile=code.getvalue()),
    )
    yield resource, "change the settings", lambda a: a("lambda").update_function_configuration(FunctionName=name)
    yield (
        resource,
        "open to others",
        lambda a: a("lambda").add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="*"),
    )


def _logs(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    groups = {
        f"the log of {name}": f"/aws/lambda/{aws.outputs[output]}"
        for name, output in (
            ("dispatch_districts", "DispatchFunction"),
            ("check_districts", "CheckFunction"),
            ("send_alerts", "AlertFunction"),
            ("render_dashboard", "DashboardFunction"),
        )
    } | {"another log": elsewhere.log_group}
    for resource, group in groups.items():
        yield from _one_log(resource, group)
    yield "a new log", "create", lambda a: a("logs").create_log_group(logGroupName="/aws/lambda/new")


def _one_log(resource: str, group: str) -> Iterator[tuple[str, str, Attempt]]:
    line = [{"timestamp": 0, "message": "-"}]
    yield resource, "open a stream", lambda a: a("logs").create_log_stream(logGroupName=group, logStreamName="tried")
    yield resource, "write", lambda a: a("logs").put_log_events(logGroupName=group, logStreamName="-", logEvents=line)
    yield resource, "read", lambda a: a("logs").filter_log_events(logGroupName=group, limit=1)
    yield resource, "delete", lambda a: a("logs").delete_log_group(logGroupName=group)


def _account(aws: LocalAws, elsewhere: Elsewhere) -> Iterator[tuple[str, str, Attempt]]:
    metric = [{"MetricName": "Heartbeat", "Value": 1.0}]
    alarms = aws.cloudwatch.describe_alarms()["MetricAlarms"]
    heartbeat = next(alarm["AlarmName"] for alarm in alarms if "HeartbeatAlarm" in alarm["AlarmName"])
    role = aws.functions.get_function_configuration(FunctionName=aws.outputs["CheckFunction"])["Role"]
    name = role.rpartition("/")[2]
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    yield "metrics", "write", lambda a: a("cloudwatch").put_metric_data(Namespace="Rosterwatch", MetricData=metric)
    yield "alarms", "look at", lambda a: a("cloudwatch").describe_alarms()
    yield "alarms", "switch off", lambda a: a("cloudwatch").disable_alarm_actions(AlarmNames=[heartbeat])
    yield "the dashboard", "change", lambda a: a("cloudwatch").put_dashboard(DashboardName="rosterwatch", DashboardBody="-")
    yield "the schedule of visits", "look at", lambda a: a("scheduler").get_schedule(Name="rosterwatch-visits")
    yield "the schedule of visits", "delete", lambda a: a("scheduler").delete_schedule(Name="rosterwatch-visits")
    yield "rules for events", "list", lambda a: a("events").list_rules()
    yield "events", "put", lambda a: a("events").put_events(Entries=[{"Source": "-", "DetailType": "-", "Detail": "{}"}])
    yield "the stack", "look at", lambda a: a("cloudformation").describe_stacks(StackName="rosterwatch")
    yield "the stack", "change", lambda a: a("cloudformation").update_stack(StackName="rosterwatch", UsePreviousTemplate=True)
    yield "the stack", "delete", lambda a: a("cloudformation").delete_stack(StackName="rosterwatch")
    yield "another role", "assume", lambda a: a("sts").assume_role(RoleArn=role, RoleSessionName="other")
    yield "roles", "list", lambda a: a("iam").list_roles()
    yield "roles", "widen", lambda a: a("iam").put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=everything)
    yield "users", "create", lambda a: a("iam").create_user(UserName="new")
    yield "keys", "list", lambda a: a("kms").list_keys()
    yield "keys", "create", lambda a: a("kms").create_key()
    yield "buckets", "list", lambda a: a("s3").list_buckets()
    yield "another bucket", "list", lambda a: a("s3").list_objects_v2(Bucket=elsewhere.bucket)
    yield "another bucket", "read", lambda a: a("s3").get_object(Bucket=elsewhere.bucket, Key="none")
    yield "another bucket", "write", lambda a: a("s3").put_object(Bucket=elsewhere.bucket, Key="new", Body=b"-")
    yield "parameters", "read", lambda a: a("ssm").get_parameter(Name="none")
    yield "network interfaces", "look at", lambda a: a("ec2").describe_network_interfaces()
    yield "network interfaces", "create", lambda a: a("ec2").create_network_interface(SubnetId="subnet-0")
