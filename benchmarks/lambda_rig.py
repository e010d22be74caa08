"""Built functions under AWS's own runtime client, with a stand-in for Lambda's Runtime API and for the AWS calls they make.

What one function process does is timed from outside: until it asks for its first event, and until it has answered it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.template import load, resources

REPOSITORY: Final = Path(__file__).resolve().parent.parent
FUNCTIONS: Final = ("DispatchDistricts", "CheckDistricts", "SendAlerts", "RenderDashboard")
#: What Lambda's Python runtime has, and no artifact needs to bring.
_BROUGHT_BY_LAMBDA: Final = (
    "awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "runtime_client", "s3transfer", "simplejson", "six",
    "snapshot_restore_py", "urllib3",
)  # fmt: skip
PREFIX: Final = "rosterwatch/"


class RigError(Exception):
    """When a function does not start, or does not answer."""


@dataclass
class FakeAws:
    """The few AWS calls that the functions make, kept in memory, counted by name."""

    secrets: dict[str, str] = field(default_factory=dict)
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    written_bytes: list[int] = field(default_factory=list)

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What AWS would say, as far as the functions look."""
        self.calls[operation] += 1
        known = getattr(self, f"_{operation}", None)
        if known is None:
            return {}
        answered: dict[str, Any] = known(asked)
        return answered

    def _GetSecretValue(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        return {"Name": asked["SecretId"], "SecretString": self.secrets.get(asked["SecretId"], "k" * 64), "VersionId": "v1"}

    def _BatchGetSecretValue(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        names = asked["SecretIdList"]
        found = [
            {"Name": name, "ARN": f"arn:{name}", "SecretString": self.secrets[name], "VersionId": "v1", "CreatedDate": 1.76e9}
            for name in names
            if name in self.secrets
        ]
        missing = [{"SecretId": name, "ErrorCode": "ResourceNotFoundException"} for name in names if name not in self.secrets]
        return {"SecretValues": found, "Errors": missing}

    def _ListSecrets(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"SecretList": [{"Name": name} for name in self.secrets]}

    def _BatchGetItem(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        [(table, wanted)] = asked["RequestItems"].items()
        keys = [(key["pk"]["S"], key["sk"]["S"]) for key in wanted["Keys"]]
        return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}, "UnprocessedKeys": {}}

    def _Query(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        pk = asked["ExpressionAttributeValues"][":pk"]["S"]
        return {"Items": [item for key, item in self.items.items() if key[0] == pk], "Count": 0}

    def _PutItem(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        item = asked["Item"]
        self.items[item["pk"]["S"], item["sk"]["S"]] = item
        self.written_bytes.append(_size(item))
        return {}

    def _TransactWriteItems(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for action in asked["TransactItems"]:
            if "Put" in action:
                self._PutItem(action["Put"])
        return {}

    def _SendMessageBatch(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Successful": [{"Id": one["Id"], "MessageId": one["Id"], "MD5OfMessageBody": ""} for one in asked["Entries"]]}


def _size(item: dict[str, Any]) -> int:
    """An item's size as DynamoDB counts it: names and values, a number as half its digits and a byte."""
    size = 0
    for name, typed in item.items():
        [(kind, value)] = typed.items()
        size += len(name.encode()) + (len(str(value)) // 2 + 1 if kind == "N" else len(str(value).encode()))
    return size


@dataclass
class Rig:
    """The two stand-ins on one port."""

    port: int
    aws: FakeAws
    asked: queue.Queue[float] = field(default_factory=queue.Queue)
    events: queue.Queue[bytes] = field(default_factory=queue.Queue)
    answers: queue.Queue[tuple[float, str, bytes]] = field(default_factory=queue.Queue)


_PUBLISHED: Final = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a process that was ended leaves its connections behind."""


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    """Start both."""
    aws = FakeAws()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(6, 1, 1)  # TCP_NODELAY

        def log_message(self, *_: Any) -> None:
            pass

        def _say(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            running.asked.put(time.monotonic())
            with contextlib.suppress(OSError):
                self._say(
                    running.events.get(),
                    headers={
                        "Content-Type": "application/json",
                        "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 120) * 1000)),
                        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:benchmark",
                    },
                )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target")
            if target:
                answer = aws.answer(target.rpartition(".")[2], json.loads(body or b"{}"))
                self._say(json.dumps(answer).encode(), headers={"Content-Type": "application/x-amz-json-1.0"})
            elif "/runtime/" in self.path:
                running.answers.put((time.monotonic(), self.path.rpartition("/")[2], body))
                self._say(b"{}", 202)
            else:
                aws.calls["Publish"] += 1
                self._say(_PUBLISHED, headers={"Content-Type": "text/xml"})

    server = _Server(("127.0.0.1", 0), Handler)
    running = Rig(server.server_address[1], aws)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds until it asked for an event, then for each event until it had answered; its log, its CPU."""

    init: float
    answered: tuple[float, ...]
    log: bytes
    cpu: float
    max_rss_kib: int


def run_function(
    running: Rig,
    code: Path,
    handler: str,
    events: Sequence[Any],
    environment: dict[str, str] | None = None,
    *,
    cgroup: Path | None = None,
    cpu: int | None = 0,
) -> Run:
    """Start a function in a fresh process, give it events, end it. Raises RigError if it fails."""

    def settle() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory(prefix="rosterwatch-rig-") as home:
        started = time.monotonic()
        process = subprocess.Popen(
            # Without site-packages: what the artifact and Lambda's runtime do not have is not there.
            [sys.executable, "-s", "-S", "-m", "awslambdaric", handler],
            cwd=code,
            env=_environment(running, code, home) | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=settle,
        )
        try:
            init = _get(running.asked, process, log) - started
            answered = []
            for event in events:
                sent = time.monotonic()
                running.events.put(json.dumps(event).encode())
                at, kind, body = _get(running.answers, process, log)
                if kind != "response":
                    raise RigError(f"{handler} failed: {body.decode(errors='replace')[:2000]}")
                answered.append(at - sent)
                _get(running.asked, process, log)
        finally:
            process.terminate()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(queue.Empty):
                while True:
                    running.answers.get_nowait()
        log.seek(0)
        running.events.put(b"null")  # frees the thread that waits to answer the process that is gone
        return Run(init, tuple(answered), log.read(), used.ru_utime + used.ru_stime, used.ru_maxrss)


def _get(source: queue.Queue[Any], process: subprocess.Popen[bytes], log: Any) -> Any:
    for _ in range(600):
        try:
            return source.get(timeout=0.2)
        except queue.Empty:
            if process.poll() is not None:
                break
    log.seek(0)
    raise RigError(f"the function ended or hung: {log.read().decode(errors='replace')[-2000:]}")


def _environment(running: Rig, code: Path, home: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "PYTHONPATH": f"{code}{os.pathsep}{_runtime()}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{running.port}",
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **settings(),
        # The districts are on loopback, and the SIS is nobody's but ours.
        "ROSTERWATCH_ALLOW_PRIVATE": "true",
    }


#: What in AWS is known only when the stack is there.
_DEPLOYED: Final = {
    "ROSTERWATCH_TABLE": "table",
    "ROSTERWATCH_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/queue",
    "ROSTERWATCH_FINGERPRINT_SECRET": "fingerprint-key",
    "ROSTERWATCH_CONTROL_URL": "",  # there is no way out of here
    "ROSTERWATCH_DISPATCH_FUNCTION": "dispatch",
    "ROSTERWATCH_DASHBOARD": "",
    **{
        f"ROSTERWATCH_{name}_TOPIC_ARN": f"arn:aws:sns:us-east-1:123456789012:{name}" for name in ("TEXT", "CARD", "ALARM", "EVENT")
    },
}


def settings() -> dict[str, str]:
    """The variables that the template gives its functions, all of them together, with the values that it has unless told otherwise."""
    template = load()
    functions = [template["Globals"]["Function"], *resources(template, "AWS::Serverless::Function").values()]
    given = {name: value for one in functions for name, value in one.get("Environment", {}).get("Variables", {}).items()}

    def default(value: Any) -> str:
        return str(template["Parameters"][value["Ref"]]["Default"]) if isinstance(value, dict) else str(value)

    return {name: _DEPLOYED[name] if name in _DEPLOYED else default(value) for name, value in given.items()}


_made: list[tempfile.TemporaryDirectory[str]] = []


def _runtime() -> Path:
    """A folder with what Lambda brings, and nothing else that happens to be installed here."""
    if not _made:
        _made.append(tempfile.TemporaryDirectory(prefix="rosterwatch-runtime-"))
        for name in _BROUGHT_BY_LAMBDA:
            found = importlib.util.find_spec(name)
            if found is None or found.origin is None:
                raise RigError(f"{name} is not installed: run this through make")
            origin = Path(found.origin)
            package = origin.parent if origin.stem == "__init__" else origin
            (Path(_made[0].name) / package.name).symlink_to(package)
    return Path(_made[0].name)


def build(folder: Path, target: str = "host") -> Path:
    """The artifact of check_districts, as `sam build` makes it: for this machine's Python, or for Lambda."""
    artifact = folder / target / "CheckDistricts"
    artifact.mkdir(parents=True)
    environment = dict(os.environ) | {"ARTIFACTS_DIR": str(artifact), "LAMBDA_TARGET": target, "PYTHON": sys.executable}
    done = subprocess.run(
        ["make", "-s", "build-CheckDistricts"],
        cwd=REPOSITORY / "functions",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RigError(f"the artifact could not be built: {done.stderr[-2000:]}")
    return artifact
