"""What no linter sees in `template.yaml`: that the parts fit each other, the code and the design."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from rosterwatch import settings
from tests import template as template_file
from tests.local_aws import REPOSITORY
from tests.proof import Part

TEMPLATE = template_file.load()
TEXT = template_file.PATH.read_text()
FUNCTIONS = template_file.resources(TEMPLATE, "AWS::Serverless::Function")
ROLES = template_file.resources(TEMPLATE, "AWS::IAM::Role")
QUEUES = template_file.resources(TEMPLATE, "AWS::SQS::Queue")
TOPICS = template_file.resources(TEMPLATE, "AWS::SNS::Topic")
ALARMS = template_file.resources(TEMPLATE, "AWS::CloudWatch::Alarm")
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
GLOBALS = TEMPLATE["Globals"]["Function"]

SETTINGS: dict[str, Callable[[dict[str, str]], object]] = {
    "DispatchDistricts": settings.dispatch_settings,
    "CheckDistricts": settings.check_settings,
    "SendAlerts": settings.alert_settings,
    "RenderDashboard": settings.render_settings,
}

# Lambda sets it.
NOT_FROM_THE_TEMPLATE = {"AWS_REGION"}

# One topic for each dialect in which an alert is told.
ALERT_TOPICS = ["AlertTopic", "AlertCardTopic", "AlertAlarmTopic", "AlertEventTopic"]

READ = "the template as plain data, beside the code and the events that it is for"
narrow = pytest.mark.claim(
    "No role allows an action by wildcard, brings a managed policy, or reaches any resource without a written reason",
    part=Part.PRIVILEGE,
    how=READ,
)
closed = pytest.mark.claim(
    "Every queue and topic has a policy that refuses plain HTTP; queues, table and alert topics are encrypted; logs are forgotten",
    part=Part.PRIVILEGE,
    how=READ,
)
fits = pytest.mark.claim(
    "The parts of the template fit each other, the code and the events: triggers, filters, settings, times, dead letters, alarms",
    part=Part.TEMPLATE,
    how=READ,
)

each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_queue = pytest.mark.parametrize("name", QUEUES)


def event(path: str) -> Any:
    return json.loads((REPOSITORY / "events" / path).read_text())


def source(function: str, kind: str) -> dict[str, Any]:
    [properties] = [source["Properties"] for source in FUNCTIONS[function]["Events"].values() if source["Type"] == kind]
    return dict(properties)


def statements(role: str) -> Iterator[dict[str, Any]]:
    for policy in ROLES[role]["Policies"]:
        there = policy["Fn::If"][1] if "Fn::If" in policy else policy
        yield from there["PolicyDocument"]["Statement"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(role: str, action: str) -> list[Any]:
    """The resources on which a role may do something."""
    return [
        resource
        for statement in statements(role)
        if action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def environment(function: str) -> dict[str, str]:
    """A function's variables as they would be with every parameter at its default."""
    variables = GLOBALS["Environment"]["Variables"] | FUNCTIONS[function]["Environment"]["Variables"]

    def resolved(value: Any) -> str:
        if isinstance(value, dict):
            reference = value.get("Ref")
            return str(PARAMETERS[reference]["Default"]) if reference in PARAMETERS else "made-by-the-stack"
        return str(value)

    return {name: resolved(value) for name, value in variables.items()}


class Asked(dict[str, str]):
    """An environment that notes which variables were asked for."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


# -- functions ---------------------------------------------------------------------------------------------------------


@each_function
def test_every_function_is_arm64_and_python_3_13_with_its_own_memory_timeout_role_and_log_group(name: str) -> None:
    function = FUNCTIONS[name]
    assert GLOBALS["Runtime"] == "python3.13"
    assert GLOBALS["Architectures"] == ["arm64"]
    assert not {"Runtime", "Architectures", "CodeUri"} & function.keys()
    assert 128 <= function["MemorySize"] <= 1024
    assert 0 < function["Timeout"] <= 900
    assert function["Role"] == {"Fn::GetAtt": f"{name}Role.Arn"}
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
    assert TEMPLATE["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"}


@fits
@each_function
def test_every_function_has_a_handler_file_and_a_build_target(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Handler"].rpartition(".")
    assert re.search(rf"^def {attribute}\(", (REPOSITORY / "functions" / f"{module}.py").read_text(), re.MULTILINE)
    assert f"build-{name}" in (REPOSITORY / "functions" / "Makefile").read_text().split()


@fits
@each_function
def test_a_function_gets_the_settings_that_it_reads_and_no_others(name: str) -> None:
    variables = Asked(environment(name))
    SETTINGS[name](variables)
    ours = {variable for variable in variables if variable.startswith("ROSTERWATCH_")}
    assert ours == variables.asked - NOT_FROM_THE_TEMPLATE


@each_function
def test_every_function_logs_and_measures_under_our_name_at_the_chosen_level(name: str) -> None:
    variables = environment(name)
    assert variables["POWERTOOLS_SERVICE_NAME"] == "rosterwatch"
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Rosterwatch"
    assert GLOBALS["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == {"Ref": "LogLevel"}


@closed
def test_every_log_group_forgets() -> None:
    groups = template_file.resources(TEMPLATE, "AWS::Logs::LogGroup")
    assert {f"{name}Logs" for name in FUNCTIONS} == groups.keys()
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())


# -- the queue of visits -----------------------------------------------------------------------------------------------


@fits
def test_a_visit_stays_hidden_for_six_timeouts_and_the_longest_batching_window() -> None:
    window = PARAMETERS["BatchingWindowSeconds"]["MaxValue"]
    assert QUEUES["Queue"]["VisibilityTimeout"] >= 6 * FUNCTIONS["CheckDistricts"]["Timeout"] + window


@fits
def test_visits_come_in_batches_of_twenty_and_only_failed_ones_come_back() -> None:
    visits = source("CheckDistricts", "SQS")
    assert visits["Queue"] == {"Fn::GetAtt": "Queue.Arn"}
    assert visits["BatchSize"] == 20
    assert visits["MaximumBatchingWindowInSeconds"] == {"Ref": "BatchingWindowSeconds"}
    assert PARAMETERS["BatchingWindowSeconds"]["MinValue"] >= 1  # or a batch may not be larger than ten
    assert visits["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@fits
def test_at_most_four_requests_at_a_time_go_to_one_host() -> None:
    at_once = source("CheckDistricts", "SQS")["ScalingConfig"]["MaximumConcurrency"]
    assert at_once * PARAMETERS["HostConcurrency"]["Default"] <= 4


def test_the_longest_delay_that_a_visit_can_be_given_is_one_that_sqs_takes() -> None:
    assert PARAMETERS["SpreadSeconds"]["MaxValue"] <= 900
    assert PARAMETERS["SecondLookSeconds"]["MaxValue"] <= 900


@fits
def test_a_visit_that_keeps_failing_ends_in_the_dead_letters_before_it_is_forgotten() -> None:
    queue = QUEUES["Queue"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": "DeadLetters.Arn"}
    assert queue["MessageRetentionPeriod"] > queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]
    assert QUEUES["DeadLetters"]["MessageRetentionPeriod"] == 1209600


# -- triggers ----------------------------------------------------------------------------------------------------------


@fits
def test_the_schedule_tries_again_and_keeps_what_it_could_not_deliver() -> None:
    schedule = source("DispatchDistricts", "ScheduleV2")
    assert schedule["ScheduleExpression"] == {"Ref": "ScheduleExpression"}
    assert schedule["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert 60 <= schedule["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600


SCHEDULES = [
    (function, name, event["Properties"])
    for function, properties in FUNCTIONS.items()
    for name, event in properties.get("Events", {}).items()
    if event["Type"] == "ScheduleV2"
]


@fits
@pytest.mark.parametrize(("function", "name", "schedule"), SCHEDULES)
def test_every_schedule_keeps_what_it_could_not_deliver_under_a_role_that_can_do_nothing_else(
    function: str, name: str, schedule: dict[str, Any]
) -> None:
    role = {"DispatchDistricts": "ScheduleRole", "SendAlerts": "ClockRole"}[function]
    assert schedule["RetryPolicy"].keys() == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}
    assert schedule["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": "UndeliveredTriggers.Arn"}}
    assert schedule["RoleArn"] == {"Fn::GetAtt": f"{role}.Arn"}
    assert [(statement["Action"], statement["Resource"]) for statement in statements(role)] == [
        ("lambda:InvokeFunction", {"Fn::GetAtt": f"{function}.Arn"}),
        ("sqs:SendMessage", {"Fn::GetAtt": "UndeliveredTriggers.Arn"}),
    ]


@fits
def test_a_time_of_a_schedule_is_one_that_the_scheduler_takes() -> None:
    fixed = re.findall(r"\b(?:rate|cron)\([^)]*\)", TEXT)
    assert {"rate(1 minute)", "rate(15 minutes)", "rate(1 day)"} <= set(fixed)
    times = r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)|cron\((\S+ ){5}\S+\)"
    assert [one for one in fixed if not re.fullmatch(times, one)] == []


def test_the_digest_is_off_until_somebody_gives_it_a_time() -> None:
    [digest] = [schedule for _, name, schedule in SCHEDULES if name == "Digest"]
    assert digest["State"] == {"Fn::If": ["HasDigest", "ENABLED", "DISABLED"]}
    assert PARAMETERS["DigestSchedule"]["Default"] == ""


@fits
def test_the_schedule_sends_the_event_that_is_tested() -> None:
    assert json.loads(source("DispatchDistricts", "ScheduleV2")["Input"]) == event("schedule.json")


@fits
def test_a_changed_secret_under_the_prefix_dispatches_at_once() -> None:
    rule = source("DispatchDistricts", "EventBridgeRule")
    pattern, changed = rule["Pattern"], event("secret_changed.json")
    assert pattern["source"] == [changed["source"]]
    assert pattern["detail-type"] == [changed["detail-type"]]
    assert pattern["detail"] == {"labelUpdated": [changed["detail"]["labelUpdated"]], "name": [{"prefix": {"Ref": "SecretPrefix"}}]}
    assert changed["detail"]["name"].startswith(PARAMETERS["SecretPrefix"]["Default"])
    assert rule["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert rule["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": "UndeliveredTriggers.Arn"}}


@fits
def test_a_round_that_lambda_accepted_and_could_not_run_is_kept_with_the_undelivered_triggers() -> None:
    config = FUNCTIONS["DispatchDistricts"]["EventInvokeConfig"]
    assert config["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": {"Fn::GetAtt": "UndeliveredTriggers.Arn"}}
    assert {"Fn::GetAtt": "UndeliveredTriggers.Arn"} in allowed("DispatchDistrictsRole", "sqs:SendMessage")


@fits
def test_what_the_clock_could_not_run_is_left_to_the_next_minute() -> None:
    config = FUNCTIONS["SendAlerts"]["EventInvokeConfig"]
    assert config == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}


# -- the stream --------------------------------------------------------------------------------------------------------


@fits
def test_the_stream_outlives_an_hour_of_refusals_and_then_gives_way() -> None:
    stream = source("SendAlerts", "DynamoDB")
    assert stream["Stream"] == {"Fn::GetAtt": "Table.StreamArn"}
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    # A stream forgets after a day: a longer age would let it, and not us, give up on an alert.
    assert 2 * 3600 <= stream["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert 3600 <= stream["MaximumRetryAttempts"] <= 10000  # one a second, for an hour
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": {"Fn::GetAtt": "UnsentAlerts.Arn"}}
    assert {"Fn::GetAtt": "UnsentAlerts.Arn"} in allowed("SendAlertsRole", "sqs:SendMessage")


def matches(pattern: dict[str, Any], record: Any) -> bool:
    """Whether an event filter takes a record, as far as our filters go: values and prefixes."""

    def one(wanted: Any, value: Any) -> bool:
        if isinstance(wanted, dict):
            return isinstance(value, str) and value.startswith(wanted["prefix"])
        return bool(wanted == value)

    return all(
        matches(wanted, record.get(name, {})) if isinstance(wanted, dict) else any(one(this, record.get(name)) for this in wanted)
        for name, wanted in pattern.items()
    )


@fits
def test_the_stream_hands_over_new_transitions_and_nothing_else() -> None:
    [transition_filter] = source("SendAlerts", "DynamoDB")["FilterCriteria"]["Filters"]
    pattern = json.loads(transition_filter["Pattern"])
    [transition] = event("stream.json")["Records"]
    assert matches(pattern, transition)
    assert not matches(pattern, transition | {"eventName": "MODIFY"})
    state = transition["dynamodb"] | {"Keys": {"pk": {"S": "district"}, "sk": {"S": "springfield"}}}
    assert not matches(pattern, transition | {"dynamodb": state})


@closed
def test_the_table_has_the_keys_the_stream_and_the_expiry_that_the_code_uses() -> None:
    [table] = template_file.resources(TEMPLATE, "AWS::DynamoDB::Table").values()
    [record] = event("stream.json")["Records"]
    assert {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]} == {"pk": "HASH", "sk": "RANGE"}
    assert record["dynamodb"]["Keys"].keys() == {"pk", "sk"}
    assert table["StreamSpecification"]["StreamViewType"] == record["dynamodb"]["StreamViewType"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert "expires_at" in record["dynamodb"]["NewImage"]
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


# -- rights ------------------------------------------------------------------------------------------------------------


@narrow
@pytest.mark.parametrize("name", ROLES)
def test_a_role_allows_named_actions_only_and_brings_no_managed_policy(name: str) -> None:
    assert "ManagedPolicyArns" not in ROLES[name]
    actions = [action for statement in statements(name) for action in listed(statement["Action"])]
    assert actions
    assert not [action for action in actions if "*" in action]


@narrow
def test_no_role_allows_any_resource_without_a_written_reason() -> None:
    anything = [s for name in ROLES for s in statements(name) if "*" in listed(s["Resource"])]
    lines = TEXT.splitlines()
    reasoned = 0
    for number, line in enumerate(lines):
        if line.strip() == 'Resource: "*"':
            before = "\n".join(lines[:number])
            since_the_last_resource = re.split(r"^ +Resource:", before, flags=re.MULTILINE)[-1]
            reasoned += bool(re.search(r"# Why any \w+: \w+", since_the_last_resource))
    assert reasoned == len(anything) > 0


@narrow
def test_only_check_districts_reads_secrets_and_only_those_of_districts_and_the_fingerprint_key() -> None:
    prefix = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${SecretPrefix}*"
    assert allowed("CheckDistrictsRole", "secretsmanager:GetSecretValue") == [
        {"Fn::Sub": prefix},
        {"Fn::GetAtt": "FingerprintKey.Id"},
    ]
    for name in ROLES.keys() - {"CheckDistrictsRole"}:
        actions = {action for statement in statements(name) for action in listed(statement["Action"])}
        assert not actions & {"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"}


@narrow
def test_the_dashboard_may_write_mutes_and_nothing_else_and_nothing_but_a_viewer_calls_it() -> None:
    writing = [s for s in statements("RenderDashboardRole") if "dynamodb:PutItem" in listed(s["Action"])]
    assert [s["Condition"] for s in writing] == [{"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mute"]}}]
    writes = {"dynamodb:PutItem", "dynamodb:DeleteItem", "sqs:SendMessage"}
    actions = {
        action for s in statements("RenderDashboardRole") for action in listed(s["Action"]) if not action.startswith("logs:")
    }
    assert actions == writes | {"dynamodb:Query", "dynamodb:BatchGetItem"}
    assert "Events" not in FUNCTIONS["RenderDashboard"]


@narrow
def test_the_fingerprint_key_can_never_be_taken_for_a_district() -> None:
    prefix = PARAMETERS["SecretPrefix"]
    [key] = template_file.resources(TEMPLATE, "AWS::SecretsManager::Secret").values()
    assert "/" not in key["Name"]["Fn::Sub"]  # and a stack's name cannot hold one
    assert re.match(prefix["AllowedPattern"], "rosterwatch/")
    assert not re.match(prefix["AllowedPattern"], "rosterwatch")
    assert not re.match(prefix["AllowedPattern"], "")
    assert key["GenerateSecretString"]["PasswordLength"] == 64


@narrow
def test_only_send_alerts_publishes_and_only_to_the_topics_of_alerts() -> None:
    assert allowed("SendAlertsRole", "sns:Publish") == [{"Ref": name} for name in ALERT_TOPICS]
    assert not [name for name in ROLES if name != "SendAlertsRole" and allowed(name, "sns:Publish")]


# -- queues and topics -------------------------------------------------------------------------------------------------


def resource_statements(kind: str, key: str, name: str) -> list[dict[str, Any]]:
    policies = template_file.resources(TEMPLATE, kind).values()
    return [statement for policy in policies if {"Ref": name} in policy[key] for statement in policy["PolicyDocument"]["Statement"]]


@closed
@each_queue
def test_every_queue_is_encrypted_and_refuses_plain_http(name: str) -> None:
    assert QUEUES[name]["SqsManagedSseEnabled"] is True
    assert {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": {"Fn::GetAtt": f"{name}.Arn"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } in resource_statements("AWS::SQS::QueuePolicy", "Queues", name)


@closed
@pytest.mark.parametrize("name", TOPICS)
def test_every_topic_refuses_plain_http_and_names_who_may_publish(name: str) -> None:
    *allows, deny = resource_statements("AWS::SNS::TopicPolicy", "Topics", name)
    assert deny == {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": {"Ref": name},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    [allow] = allows
    publishers = {topic: {"AWS": {"Fn::GetAtt": "SendAlertsRole.Arn"}} for topic in ALERT_TOPICS}
    assert allow["Principal"] == (publishers | {"OpsTopic": {"Service": "cloudwatch.amazonaws.com"}})[name]


@closed
def test_cloudwatch_can_publish_to_the_ops_topic_because_its_key_is_not_one_that_cloudwatch_may_not_use() -> None:
    assert "KmsMasterKeyId" not in TOPICS["OpsTopic"]


@fits
def test_mail_that_cannot_be_delivered_is_kept() -> None:
    subscriptions = template_file.resources(TEMPLATE, "AWS::SNS::Subscription").values()
    for subscription in subscriptions:
        assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": "UndeliveredMail.Arn"}}
    [allow] = [s for s in resource_statements("AWS::SQS::QueuePolicy", "Queues", "UndeliveredMail") if s["Effect"] == "Allow"]
    assert allow["Condition"]["ArnEquals"]["aws:SourceArn"] == [one["TopicArn"] for one in subscriptions]


# -- who watches the monitor -------------------------------------------------------------------------------------------


def watched(namespace: str, metric: str) -> list[Any]:
    """What is watched by alarms on one of AWS' metrics: the value of the only dimension of each."""
    alarms = [alarm for alarm in ALARMS.values() if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)]
    return [dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]]


@fits
def test_every_queue_of_what_went_wrong_has_an_alarm() -> None:
    assert watched("AWS/SQS", "ApproximateNumberOfMessagesVisible") == [
        {"Fn::GetAtt": f"{name}.QueueName"} for name in ("UndeliveredTriggers", "DeadLetters", "UnsentAlerts", "UndeliveredMail")
    ]
    assert QUEUES.keys() - {"Queue"} == {"UndeliveredTriggers", "DeadLetters", "UnsentAlerts", "UndeliveredMail"}


@fits
@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_alarms_on_errors_and_throttles(metric: str) -> None:
    assert watched("AWS/Lambda", metric) == [{"Ref": name} for name in FUNCTIONS]


@fits
def test_late_and_undelivered_alerts_have_alarms() -> None:
    assert watched("AWS/Lambda", "IteratorAge") == [{"Ref": "SendAlerts"}]
    assert watched("AWS/SNS", "NumberOfNotificationsFailed") == [{"Fn::GetAtt": f"{name}.TopicName"} for name in ALERT_TOPICS]


@fits
@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_tells_the_ops_topic_and_says_where_to_look(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "OpsTopic"}]
    assert alarm["AlarmDescription"]
    assert alarm["TreatMissingData"] == ("breaching" if name == "HeartbeatAlarm" else "notBreaching")


@fits
def test_the_heartbeat_alarm_watches_the_metric_that_the_code_writes() -> None:
    alarm = ALARMS["HeartbeatAlarm"]
    variables = environment("DispatchDistricts")
    assert 'measure("Heartbeat", 1)' in (REPOSITORY / "functions" / "dispatch_districts.py").read_text()
    assert alarm["MetricName"] == "Heartbeat"
    assert alarm["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]
    # CloudWatch looks back over at most a day when a period is shorter than a day.
    assert alarm["Period"] * PARAMETERS["SilentHours"]["MaxValue"] <= 24 * 3600


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_explained_bounded_and_has_a_default_within_its_bounds(name: str) -> None:
    parameter = PARAMETERS[name]
    default = parameter["Default"]
    assert parameter["Description"].endswith(".")
    if "AllowedPattern" in parameter:
        assert re.search(parameter["AllowedPattern"], default)
        assert parameter["ConstraintDescription"]
    elif "AllowedValues" in parameter:
        assert default in parameter["AllowedValues"]
    elif parameter["Type"] == "Number":
        assert parameter["MinValue"] <= default <= parameter["MaxValue"]
    else:
        assert parameter["Type"] == "CommaDelimitedList"
        assert default == ""


def test_every_parameter_stands_in_one_group_of_the_console() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(PARAMETERS)


@fits
@pytest.mark.parametrize("name", ["HostConcurrency", "SpreadSeconds", "SecondLookSeconds"])
@pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
def test_a_number_that_the_stack_takes_is_one_that_the_code_takes(name: str, bound: str) -> None:
    function = "DispatchDistricts" if name == "SpreadSeconds" else "CheckDistricts"
    variable = "ROSTERWATCH_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
    value = PARAMETERS[name][bound]
    SETTINGS[function](environment(function) | {variable: str(value)})


# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_template_uses_no_alias_because_cloudformation_reads_none() -> None:
    assert not [token for token in yaml.scan(TEXT) if isinstance(token, yaml.AliasToken | yaml.AnchorToken)]
