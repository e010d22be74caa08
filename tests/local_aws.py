"""An AWS on this machine, with the stack deployed into it: ministack on loopback, `sam build` and `sam deploy`.

    with local_aws({"AllowPrivateAddresses": "true"}) as aws:
        aws.put_secret("springfield", {...})
        aws.invoke("DispatchFunction", {"district": "springfield"})
        [alert] = aws.wait_for_alerts(1)

It speaks HTTPS, so that the queues' and topics' refusal of plain HTTP holds here too, and every function runs under its own
role. CloudWatch does not make metrics of log lines here: `pump_metrics` does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3
import trustme
from botocore.config import Config

from tests.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

REPOSITORY: Final = Path(__file__).resolve().parent.parent
#: The environments of the other tools lie beside the one this runs in (see the Makefile).
ENVIRONMENTS: Final = Path(sys.prefix).parent
REGION: Final = "us-east-1"
STACK: Final = "rosterwatch"
LOG: Final = "emulator.log"
#: Where the log of a run that failed is left.
KEPT_LOG: Final = REPOSITORY / ".local" / LOG

Found = TypeVar("Found")


class LocalAwsError(Exception):
    """When the local AWS, the build or the deployment fails. Ends with what the tool said; KEPT_LOG has the rest."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One message of the alert topic, as a subscriber gets it."""

    subject: str
    text: str
    attributes: dict[str, str]


@dataclass
class LocalAws:
    """A running local AWS. `outputs` holds the stack's outputs once it is deployed."""

    endpoint: str
    ca_file: Path
    workspace: Path
    outputs: dict[str, str] = field(default_factory=dict)
    _clients: list[Any] = field(default_factory=list)
    _alerts: list[Alert] = field(default_factory=list)
    _pumped: set[tuple[str, str, int, str]] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to talk to this AWS and to no other."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.ca_file),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A client of any service of this AWS."""
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        connect: Any = session.client
        client = connect(
            service,
            endpoint_url=self.endpoint,
            verify=str(self.ca_file),
            config=Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=180),
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close the clients' connections."""
        while self._clients:
            self._clients.pop().close()

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """AWS CloudFormation."""
        client: CloudFormationClient = self.client("cloudformation")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Amazon CloudWatch."""
        client: CloudWatchClient = self.client("cloudwatch")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Amazon DynamoDB."""
        client: DynamoDBClient = self.client("dynamodb")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """AWS Lambda."""
        client: LambdaClient = self.client("lambda")
        return client

    @cached_property
    def log_store(self) -> CloudWatchLogsClient:
        """Amazon CloudWatch Logs."""
        client: CloudWatchLogsClient = self.client("logs")
        return client

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """AWS Secrets Manager."""
        client: SecretsManagerClient = self.client("secretsmanager")
        return client

    @cached_property
    def sns(self) -> SNSClient:
        """Amazon SNS."""
        client: SNSClient = self.client("sns")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """Amazon SQS."""
        client: SQSClient = self.client("sqs")
        return client

    def build(self, tree: Path = REPOSITORY, name: str = "build") -> Path:
        """`sam build` of a working tree for this machine's own Python, under a name. Returns the built template."""
        source = self.workspace / "source"
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(tree / "functions", source / "functions", ignore=shutil.ignore_patterns("__pycache__"))
        (source / "template.yaml").write_text(_for_the_emulator((tree / "template.yaml").read_text()))
        built = self.workspace / name
        # The functions run on the emulator's interpreter, so the wheels have to be that one's.
        target = {"LAMBDA_TARGET": "host", "PYTHON": str(ENVIRONMENTS / "ministack" / "bin" / "python")}
        self._sam(source, "build", "--build-dir", str(built), extra=target)
        return built / "template.yaml"

    def deploy(self, template: Path, parameters: Mapping[str, str] | None = None, stack: str = STACK) -> dict[str, str]:
        """`sam deploy` of a built template, over the stack if it is there already. Returns the stack's outputs."""
        overrides = [f'{name}="{value}"' for name, value in (parameters or {}).items()]
        self._sam(
            template.parent,
            *(
                "deploy",
                "--template-file",
                str(template),
                "--stack-name",
                stack,
                "--resolve-s3",
                "--capabilities",
                "CAPABILITY_IAM",
            ),
            *("--no-confirm-changeset", "--no-progressbar", "--no-fail-on-empty-changeset"),
            *(["--parameter-overrides", *overrides] if overrides else []),
        )
        [description] = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
        return self.outputs

    def put_secret(self, district: str, value: Mapping[str, object] | str) -> str:
        """Store a district's secret, new or changed. Returns its version."""
        name = self.outputs["SecretPrefix"] + district
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            return self.secrets.create_secret(Name=name, SecretString=text)["VersionId"]
        except self.secrets.exceptions.ResourceExistsException:
            return self.secrets.put_secret_value(SecretId=name, SecretString=text)["VersionId"]

    def invoke(self, output: str, event: object) -> Any:
        """Run a function, named by the stack's output (`DispatchFunction`), and return its answer. Raises if it fails."""
        answer = self.functions.invoke(FunctionName=self.outputs[output], Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise LocalAwsError(f"{self.outputs[output]} failed: {json.dumps(payload)}")
        return payload

    def logs(self, output: str) -> list[str]:
        """All that a function has logged so far, line by line, the platform's own lines included."""
        group = f"/aws/lambda/{self.outputs[output]}"
        return [line for _, event in self._log_events(group) for line in event["message"].splitlines()]

    def _log_events(self, group: str) -> Iterator[tuple[str, Any]]:
        """Every event of a log group with the name of its stream. The emulator's FilterLogEvents ends with the ten-thousandth."""
        streams: Any = self.log_store.get_paginator("describe_log_streams").paginate(logGroupName=group)
        for stream in [stream["logStreamName"] for page in streams for stream in page["logStreams"]]:
            where: Any = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
            while (page := self.log_store.get_log_events(**where))["events"]:
                yield from ((stream, event) for event in page["events"])
                where["nextToken"] = page["nextForwardToken"]

    def items(self, pk: str | None = None) -> list[dict[str, Any]]:
        """The table's items, all of them or those of one partition."""
        pages: Any = self.dynamodb.get_paginator("scan").paginate(TableName=self.outputs["TableName"], ConsistentRead=True)
        return [item for page in pages for item in page["Items"] if pk in (None, item["pk"]["S"])]

    def messages_on(self, output: str) -> int:
        """How many messages lie on a queue, named by the stack's output (`DeadLettersUrl`); those in flight or delayed count."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def alerts(self) -> list[Alert]:
        """Every alert that the topic has delivered to our inbox so far, oldest first."""
        while messages := self.sqs.receive_message(QueueUrl=self._inbox, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                envelope = json.loads(message["Body"])
                attributes = {name: value["Value"] for name, value in envelope.get("MessageAttributes", {}).items()}
                self._alerts.append(Alert(envelope.get("Subject") or "", envelope["Message"], attributes))
                self.sqs.delete_message(QueueUrl=self._inbox, ReceiptHandle=message["ReceiptHandle"])
        return list(self._alerts)

    def wait_for_alerts(self, count: int, seconds: float = 60) -> list[Alert]:
        """All alerts so far, as soon as there are `count` of them. Raises if that takes longer than `seconds`."""

        def enough() -> list[Alert] | None:
            alerts = self.alerts()
            return alerts if len(alerts) >= count else None

        return wait_for(enough, seconds, f"{count} alerts")

    def pump_metrics(self) -> int:
        """Do what CloudWatch does with metrics in log lines (EMF), for all lines since the last time. Returns how many."""
        pumped = 0
        for group in self.log_store.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}-")["logGroups"]:
            name = group["logGroupName"]
            for stream, event in self._log_events(name):
                seen = (name, stream, event["timestamp"], event["message"])
                if seen not in self._pumped:
                    self._pumped.add(seen)
                    pumped += sum(self._publish(line) for line in event["message"].splitlines())
        return pumped

    def _publish(self, line: str) -> int:
        if '"_aws"' not in line:
            return 0
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                data: Any = [
                    {
                        "MetricName": metric["Name"],
                        "Unit": metric.get("Unit", "None"),
                        "Values": value if isinstance(value := document[metric["Name"]], list) else [value],
                        "Dimensions": [{"Name": name, "Value": str(document[name])} for name in names],
                    }
                    for metric in directive["Metrics"]
                ]
                self.cloudwatch.put_metric_data(Namespace=directive["Namespace"], MetricData=data)
        return 1

    @cached_property
    def _inbox(self) -> str:
        url, _ = self.subscribe(self.outputs["AlertTopicArn"], "inbox")
        return url

    def subscribe(self, topic: str, queue: str) -> tuple[str, str]:
        """Have a topic deliver into a new queue of that name. Returns the queue's URL and the subscription's ARN."""
        url = self.sqs.create_queue(QueueName=queue)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    def open_inbox(self) -> None:
        """Subscribe our inbox to the alert topic. Alerts sent before are not in it."""
        _ = self._inbox

    def _sam(self, folder: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
        environment |= self.environment | dict(extra or {})
        # Its own settings folder, no usage reports, and a look at the stack every second instead of every five.
        environment |= {"__SAM_CLI_APP_DIR": str(self.workspace / "sam"), "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1"}
        # It leaves temporary folders behind.
        environment["TMPDIR"] = str(self.workspace)
        _run([str(ENVIRONMENTS / "sam" / "bin" / "sam"), *arguments], folder, environment)


#: Where the emulator asks for a right of its own, AWS asks for the one on the left.
_EMULATED_RIGHTS: Final = {"sqs:SendMessage": "sqs:SendMessageBatch", "dynamodb:PutItem": "dynamodb:TransactWriteItems"}


def _for_the_emulator(template: str) -> str:
    """The template as the emulator has to be told it, to give the rights that AWS would give; nothing else changes.

    Its own names of rights are added wherever their counterparts are granted, its own name of a log wherever that log is. It
    does not evaluate a list joined in a condition, and would take the subnets for given.
    """

    def widened(line: re.Match[str]) -> str:
        granted = [action.strip() for action in line["actions"].strip("[]").split(",")]
        return f"{line['key']}[{', '.join(granted + [_EMULATED_RIGHTS[a] for a in granted if a in _EMULATED_RIGHTS])}]"

    template = re.sub(r"^(?P<key> +Action: )(?P<actions>\S.*)$", widened, template, flags=re.MULTILINE)
    log = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group"
    template = re.sub(r"Resource: !GetAtt (\w+Logs)\.Arn", rf'Resource: [!GetAtt \1.Arn, !Sub "{log}:${{\1}}"]', template)
    return template.replace('!Join ["", !Ref SubnetIds]', "!Select [0, !Ref SubnetIds]")


@contextmanager
def local_aws(
    parameters: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
    through: FaultProxy | None = None,
) -> Iterator[LocalAws]:
    """Start the local AWS, build and deploy this working tree, and subscribe an inbox to its alerts.

    `progress` is told what happens next. The functions' calls go `through` a proxy, if there is one. However the block is left,
    nothing stays behind.
    """
    with started(through) as aws:
        progress("Building the functions (sam build)")
        template = aws.build()
        progress("Deploying the stack (sam deploy)")
        aws.deploy(template, parameters)
        aws.open_inbox()
        yield aws


@contextmanager
def started(through: FaultProxy | None = None) -> Iterator[LocalAws]:
    """Start the local AWS with nothing in it. The functions' calls go `through` a proxy, if there is one."""
    with ExitStack() as stack:
        # Resolved, because the emulator and the functions see it from other folders.
        workspace = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="rosterwatch-aws-", ignore_cleanup_errors=True))
        ).resolve()
        port = _free_port()
        ca_file, certificate, key = _certificate(workspace)
        aws = LocalAws(f"https://127.0.0.1:{port}", ca_file, workspace)
        stack.enter_context(_keep_log(workspace / LOG))
        for_functions = stack.enter_context(through.running(port, workspace, certificate, key)) if through else aws.endpoint
        emulator = stack.enter_context(_emulator(aws, port, certificate, key, for_functions))
        wait_for(lambda: _is_healthy(aws, emulator), 30, "the local AWS")
        yield aws


@contextmanager
def _keep_log(log: Path) -> Iterator[None]:
    """When something goes wrong, what the emulator and the functions said is all there is to go by: keep it."""
    try:
        yield
    except BaseException:
        if log.exists():
            KEPT_LOG.parent.mkdir(exist_ok=True)
            shutil.copy(log, KEPT_LOG)
        raise


@contextmanager
def _emulator(aws: LocalAws, port: int, certificate: Path, key: Path, for_functions: str) -> Iterator[subprocess.Popen[bytes]]:
    program = ENVIRONMENTS / "ministack" / "bin" / "ministack"
    if not program.exists():
        raise LocalAwsError(f"{program} is not there: run the tests through make, which sets it up")
    temporary = aws.workspace / "emulator"
    temporary.mkdir()
    environment = {
        "HOME": str(temporary),
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "TMPDIR": str(temporary),
        "AWS_EC2_METADATA_DISABLED": "true",
        # Loopback only, and none of the listeners that know no other address than all.
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        # Functions as processes of this machine, each with its own role's rights.
        "AUTH": "true",
        "DOCKER_HOST": "unix:///nonexistent.sock",
        "LAMBDA_EXECUTOR": "local",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        # Handed on to the functions, which talk to this AWS too.
        "AWS_CA_BUNDLE": str(aws.ca_file),
        "AWS_ENDPOINT_URL": for_functions,
    }
    with (aws.workspace / LOG).open("wb") as log:
        # In a session of its own: an interrupt from the keyboard is for us, and we then end it in order.
        process = subprocess.Popen(
            [program], cwd=temporary, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            (aws.workspace / "emulator.pid").write_text(str(process.pid))
            yield process
        finally:
            with _deaf_to_interrupts():
                _end(aws, process)


def _end(aws: LocalAws, process: subprocess.Popen[bytes]) -> None:
    # It would wait for open connections to come to an end, and only a reset ends the functions' processes in order.
    aws.close()
    if process.poll() is None:
        with suppress(OSError):
            _ask(aws, "/_ministack/reset", b"")
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # A function that an event started after the reset: it is in the group that the emulator led.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # no other thread is ever interrupted
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(look: Callable[[], Found | None], seconds: float, what: str) -> Found:
    """What `look` finds, as soon as it finds something. Raises if that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise LocalAwsError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)
    return found


def _is_healthy(aws: LocalAws, emulator: subprocess.Popen[bytes]) -> bool | None:
    if emulator.poll() is not None:
        log = (aws.workspace / LOG).read_text(errors="replace")
        raise LocalAwsError(f"the local AWS ended as soon as it had started:\n{log[-4000:]}")
    try:
        _ask(aws, "/_ministack/health")
    except OSError:
        return None
    return True


def _ask(aws: LocalAws, path: str, body: bytes | None = None) -> None:
    context = ssl.create_default_context(cafile=str(aws.ca_file))
    with urllib.request.urlopen(  # noqa: S310 (the address is our own)
        aws.endpoint + path, data=body, timeout=30, context=context
    ) as answer:
        answer.read()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _certificate(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate authority of our own, and a certificate and its key for the local AWS."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    paths = (folder / "ca.pem", folder / "aws.pem", folder / "aws.key")
    authority.cert_pem.write_to_path(str(paths[0]))
    for pem in [*issued.cert_chain_pems, authority.cert_pem]:
        pem.write_to_path(str(paths[1]), append=True)
    issued.private_key_pem.write_to_path(str(paths[2]))
    return paths


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run a tool to its end. What it says is of interest only when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace")
        raise LocalAwsError(f"{' '.join(command)} ended with {done.returncode}:\n{said[-6000:]}")
