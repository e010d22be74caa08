"""The queue of visits with a clock of its own: it does not wait out the time over which a round is spread.

Functions send to it over HTTP as to Amazon SQS. Messages of the schedule come out in the order in which they are due; second looks
come out when their own seconds have really gone by; what was handed back comes out last, as the visibility timeout would have it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

#: What SQS takes in one call (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
MOST_ENTRIES: Final = 10
MOST_DELAY: Final = 900
MOST_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as SQS hands it to a function."""

    identifier: str
    body: str

    @property
    def district(self) -> str:
        return str(json.loads(self.body)["district"])

    @property
    def record(self) -> dict[str, str]:
        return {"messageId": self.identifier, "body": self.body}


@dataclass
class Waiting:
    """The messages. ``sent`` counts them by district and reason, ``broken_rules`` says what SQS would not have taken."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken_rules: list[str] = field(default_factory=list)
    returned: int = 0
    _scheduled: list[tuple[int, int, Message]] = field(default_factory=list)
    _soon: list[tuple[float, int, Message]] = field(default_factory=list)
    _later: list[Message] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, entries: list[dict[str, Any]]) -> None:
        """Take what one call sends."""
        if not 1 <= len(entries) <= MOST_ENTRIES or len({one["Id"] for one in entries}) != len(entries):
            self.broken_rules.append(f"{len(entries)} entries in a call, or two of one name")
        if sum(len(one["MessageBody"].encode()) for one in entries) > MOST_BYTES:
            self.broken_rules.append("more than a call may hold")
        with self._lock:
            for one in entries:
                delay = one.get("DelaySeconds", 0)
                if not 0 <= delay <= MOST_DELAY:
                    self.broken_rules.append(f"a delay of {delay} s")
                visit, message = json.loads(one["MessageBody"]), Message(uuid.uuid4().hex, one["MessageBody"])
                self.sent[visit["district"], visit["reason"]] += 1
                if visit["reason"] == "schedule":
                    heapq.heappush(self._scheduled, (delay, next(self._numbers), message))
                else:
                    heapq.heappush(self._soon, (time.monotonic() + delay, next(self._numbers), message))

    def take(self, most: int, *, scheduled: bool = True) -> list[Message]:
        """A batch: second looks whose time has come, then what is due next, then what has come back. Empty: nothing now."""
        taken: list[Message] = []
        with self._lock:
            while self._soon and self._soon[0][0] <= time.monotonic() and len(taken) < most:
                taken.append(heapq.heappop(self._soon)[2])
            while scheduled and self._scheduled and len(taken) < most:
                taken.append(heapq.heappop(self._scheduled)[2])
            while not self._scheduled and self._later and len(taken) < most:
                taken.append(self._later.pop(0))
        return taken

    def hand_back(self, messages: list[Message]) -> None:
        """Messages whose visit could not be made."""
        with self._lock:
            self.returned += len(messages)
            self._later += messages

    @property
    def left(self) -> int:
        """How many wait, second looks that are not due yet among them."""
        with self._lock:
            return len(self._scheduled) + len(self._soon) + len(self._later)

    @property
    def rest_of_round(self) -> int:
        """How many of the schedule's messages wait."""
        with self._lock:
            return len(self._scheduled)


@dataclass
class Queues:
    """Queues by their names, the last parts of their URLs, and where they are served."""

    endpoint: str = ""
    by_name: dict[str, Waiting] = field(default_factory=dict)


@contextlib.contextmanager
def listening() -> Iterator[Queues]:
    """Serve queues, none to begin with."""
    queues = Queues()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "AmazonSQS.SendMessageBatch", "the functions call nothing else"
            queues.by_name[asked["QueueUrl"].rpartition("/")[2]].send(asked["Entries"])
            told = [{"Id": one["Id"], "MessageId": uuid.uuid4().hex, "MD5OfMessageBody": ""} for one in asked["Entries"]]
            body = json.dumps({"Successful": told, "Failed": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        queues.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield queues
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
