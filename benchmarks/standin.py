"""nginx as a OneRoster server: one port a district, TLS, a token for the right pair, data for the right token, a set delay.

The delay is in the path, so that it can change without a restart: `https://127.0.0.1:<port>/d200/token` answers after 200 ms.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import certifi
import trustme

MODULES: Final = Path("/usr/lib/nginx/modules")
INSTALL: Final = "apt-get install nginx-light libnginx-mod-http-lua"
COLLECTIONS: Final = (
    "orgs", "schools", "academicSessions", "terms", "courses", "classes", "users", "students", "teachers", "enrollments",
)  # fmt: skip
CONSUMER_ID: Final = "benchmark"
CONSUMER_SECRET: Final = "not-a-secret"  # noqa: S105 - it opens the server below and nothing else
TOKEN: Final = "0123456789abcdef" * 4
BASIC: Final = base64.b64encode(f"{CONSUMER_ID}:{CONSUMER_SECRET}".encode()).decode()
#: What every lane looks for in a body: there is at least one record.
RECORD: Final = '"sourcedId"'
_ENVELOPES: Final = {"schools": "orgs", "terms": "academicSessions", "students": "users", "teachers": "users"}
_FIRST_PORT: Final = 20000


class NotInstalledError(Exception):
    """When a program that a benchmark needs is not on this machine. Says how to install it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the server has counted so far, and the CPU seconds that it has used."""

    connections: int
    requests: int
    cpu_seconds: float

    def since(self, earlier: Counts) -> Counts:
        """What was added, but for the question itself."""
        return Counts(
            self.connections - earlier.connections - 1, self.requests - earlier.requests - 1, self.cpu_seconds - earlier.cpu_seconds
        )


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running server. `ca_file` holds what every lane trusts: its one authority, or beside it all that a machine usually trusts."""

    folder: Path
    ports: tuple[int, ...]
    ca_file: Path
    status_port: int
    worker: int

    def url(self, district: int, delay_ms: int) -> str:
        """The base URL of a district that answers after a delay."""
        return f"https://127.0.0.1:{self.ports[district]}/d{delay_ms}"

    def among_others(self) -> StandIn:
        """The same server, its authority being one among all that a machine usually trusts."""
        crowd = self.folder / "crowd.pem"
        crowd.write_text(
            self.ca_file.read_text(encoding="ascii") + Path(certifi.where()).read_text(encoding="utf-8"), encoding="utf-8"
        )
        return replace(self, ca_file=crowd)

    def counts(self) -> Counts:
        """What the server has counted, this question included."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/", timeout=10) as answer:
            numbers = [int(word) for word in answer.read().decode().split() if word.isdecimal()]
        return Counts(numbers[1], numbers[3], cpu_seconds(self.worker))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process that runs, its threads included, its children not."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def standin(districts: int, cpu: int | None = None) -> Iterator[StandIn]:
    """Serve so many districts on loopback, by one worker, on one core if `cpu` names it."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None or not (MODULES / "ngx_http_lua_module.so").exists():
        raise NotInstalledError(f"nginx with its Lua module is not installed: {INSTALL}")
    with tempfile.TemporaryDirectory(prefix="rosterwatch-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        first = _free_range(districts + 1)
        ports = tuple(range(first, first + districts))
        ca_file = _certificate(folder)
        (folder / "nginx.conf").write_text(_configuration(folder, ports, first + districts), encoding="utf-8")
        command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            worker = _wait_for_worker(process, folder)
            if cpu is not None:
                os.sched_setaffinity(worker, {cpu})
            yield StandIn(folder, ports, ca_file, first + districts, worker)
        finally:
            process.terminate()
            process.wait(10)


def _wait_for_worker(process: subprocess.Popen[bytes], folder: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        if children:
            return int(children[0])
        time.sleep(0.05)
    raise RuntimeError("nginx did not start: " + (folder / "error.log").read_text(encoding="utf-8")[-2000:])


def _free_range(count: int) -> int:
    """The first of so many free ports in a row, below those that connections leave from."""
    for first in range(_FIRST_PORT, 32000 - count, count):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                listener = stack.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", port))
            return first
    raise RuntimeError(f"no {count} free ports in a row")


def _certificate(folder: Path) -> Path:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(folder / "server.pem"), append=True)
    return folder / "ca.pem"


def _body(collection: str) -> str:
    record: dict[str, Any] = {
        "sourcedId": f"{collection}-000001",
        "status": "active",
        "dateLastModified": "2026-08-03T07:12:44.000Z",
        "metadata": {"source": "stand-in"},
        "name": f"The first of the {collection}",
        "identifier": "000001",
        "org": {"href": "https://sis.invalid/ims/oneroster/v1p1/orgs/1", "sourcedId": "1", "type": "org"},
    }
    return json.dumps({_ENVELOPES.get(collection, collection): [record]})


def _configuration(folder: Path, ports: tuple[int, ...], status_port: int) -> str:
    listen = "\n".join(f"    listen 127.0.0.1:{port} ssl http2;" for port in ports)
    bodies = ",\n".join(f"      {name} = [==[{_body(name)}]==]" for name in COLLECTIONS)
    grant = json.dumps({"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600})
    systeminfo = json.dumps({"DatabaseYear": "2026-2027", "Version": "8.26.11.9", "ServerTime": "2026-11-24T08:00:00"})
    user = "user root;\n" if os.geteuid() == 0 else ""
    return f"""{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
load_module {MODULES}/ndk_http_module.so;
load_module {MODULES}/ngx_http_lua_module.so;
events {{ worker_connections 16384; }}
worker_rlimit_nofile 16384;
http {{
  access_log off;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  keepalive_requests 100000;
  lua_load_resty_core off;
  init_by_lua_block {{
    bodies = {{
{bodies}
    }}
    function delayed(answer_kind)
      local ms = tonumber(ngx.var.ms)
      if ms > 0 then ngx.sleep(ms / 1000) end
      ngx.header["Content-Type"] = "application/json"
      local authorization = ngx.var.http_authorization
      local body
      if answer_kind == "token" then
        if authorization == "Basic {BASIC}" then body = [==[{grant}]==] end
      elseif answer_kind == "systeminfo" then
        body = [==[{systeminfo}]==]
      elseif authorization == "Bearer {TOKEN}" then
        body = bodies[ngx.var.what]
        if body then ngx.header["X-Total-Count"] = "1200" end
      end
      if not body then ngx.status = 401 body = '{{"error":"invalid_client"}}' end
      ngx.header["Content-Length"] = #body
      ngx.print(body)
    end
    function flood(chunk, times)
      ngx.header["Content-Type"] = "application/json"
      for _ = 1, times do
        if not ngx.print(chunk) then return end
        ngx.flush(true)
      end
    end
  }}
  server {{
{listen}
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location ~ ^/d(?<ms>[0-9]+)/token$ {{ lua_need_request_body on; content_by_lua_block {{ delayed("token") }} }}
    location ~ ^/d(?<ms>[0-9]+)/api/v5/systeminfo$ {{ content_by_lua_block {{ delayed("systeminfo") }} }}
    location ~ ^/d(?<ms>[0-9]+)/ims/oneroster/v1p1/(?<what>[A-Za-z]+)$ {{ content_by_lua_block {{ delayed("data") }} }}
    location ~ ^/huge/(?<rest>token|api/v5/systeminfo)$ {{ rewrite ^ /d0/$rest last; }}
    location ~ ^/huge/ims/ {{
      content_by_lua_block {{ flood(string.rep('{{"sourcedId":"0001","name":"somebody who was not asked for"}},', 16384), 500) }}
    }}
    location ~ ^/bomb/(?<rest>token|api/v5/systeminfo)$ {{ rewrite ^ /d0/$rest last; }}
    location ~ ^/bomb/ims/ {{
      default_type application/json;
      add_header Content-Encoding gzip;
      alias {folder}/bomb.gz;
    }}
  }}
  server {{
    listen 127.0.0.1:{status_port};
    location / {{ stub_status; }}
  }}
}}
"""
