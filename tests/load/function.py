"""A built function as Lambda runs it: a process of its own under AWS's runtime client, which takes its events from us."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from benchmarks import lambda_rig

TIMEOUT_SECONDS: Final = 120.0


class FunctionError(Exception):
    """When a function fails, ends, or does not answer within its time-out."""


@dataclass
class Function:
    """One running process. It takes one event at a time, as a Lambda environment does."""

    handler: str
    process: subprocess.Popen[bytes]
    log: Path
    timeout: float
    events: queue.Queue[bytes]
    answers: queue.Queue[tuple[str, bytes]]
    seconds: list[float] = field(default_factory=list)
    _read: int = 0

    def invoke(self, event: object) -> Any:
        """Hand it one event and return its answer. Raises FunctionError."""
        sent = time.monotonic()
        self.events.put(json.dumps(event).encode())
        while True:
            try:
                kind, body = self.answers.get(timeout=0.5)
                break
            except queue.Empty:
                if self.process.poll() is not None or time.monotonic() - sent > self.timeout:
                    raise FunctionError(f"{self.handler} ended or hung: {self.log.read_text(errors='replace')[-3000:]}") from None
        self.seconds.append(time.monotonic() - sent)
        if kind != "response":
            raise FunctionError(f"{self.handler} failed: {body.decode(errors='replace')[:3000]}")
        return json.loads(body)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged since the last time, as JSON; lines that are none are left out."""
        text = self.log.read_bytes()[self._read :]
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that the process has had."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def most_memory_mb(self) -> float:
        """The most memory that the process has ever held, as the kernel counts it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peak) / 1024


@contextlib.contextmanager
def running(artifact: Path, handler: str, environment: Mapping[str, str], folder: Path, memory_mb: int) -> Iterator[Function]:
    """Start a function of a built artifact. It sees nothing but the artifact and what Lambda's runtime brings."""
    events: queue.Queue[bytes] = queue.Queue()
    answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
    log = folder / f"{handler}-{uuid.uuid4().hex[:8]}.log"
    with _runtime_api(events, answers) as port, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-m", "awslambdaric", f"{handler}.handler"],
            cwd=artifact,
            env=_environment(artifact, folder, port, memory_mb) | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield Function(handler, process, log, TIMEOUT_SECONDS, events, answers)
        finally:
            process.terminate()
            process.wait()
            events.put(b"null")  # frees the thread that waits to hand out the next event


def _environment(artifact: Path, folder: Path, port: int, memory_mb: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{artifact}{os.pathsep}{lambda_rig._runtime()}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "load",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "LAMBDA_TASK_ROOT": str(artifact),
        **lambda_rig.settings(),
    }


@contextlib.contextmanager
def _runtime_api(events: queue.Queue[bytes], answers: queue.Queue[tuple[str, bytes]]) -> Iterator[int]:
    """Lambda's Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) for one process. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

        def _say(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            event = events.get()
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIMEOUT_SECONDS) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:load",
            }
            with contextlib.suppress(OSError):  # it was ended while it waited
                self._say(200, event, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._say(202, b"{}", {})
            answers.put((self.path.rpartition("/")[2], body))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
