"""CloudWatch's console on this machine, as far as a custom widget can tell: a page, and a bridge to the local AWS' Lambda.

    with Console(aws) as console, console.browser() as page:
        page.goto(console.address(theme="dark"))

The widget, its title and its parameters are read from the dashboard that was deployed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from tests.local_aws import REPOSITORY, LocalAws

PAGE: Final = Path(__file__).with_name("console.html")
#: Where pictures of what was seen are left.
PICTURES: Final = REPOSITORY / ".local" / "screenshots"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_chromium() -> str | None:
    """The browser of this machine, if it has one that Playwright can drive."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Console:
    """Serves the page on loopback, from `with` to the end of the block."""

    def __init__(self, aws: LocalAws) -> None:
        body = aws.cloudwatch.get_dashboard(DashboardName=aws.outputs["DashboardName"])["DashboardBody"]
        [widget] = [one for one in json.loads(body)["widgets"] if one["type"] == "custom"]
        self._settings = {name: widget["properties"][name] for name in ("endpoint", "params", "title")}
        self._settings["dashboardName"] = aws.outputs["DashboardName"]
        handler = type("Handler", (_Handler,), {"aws": aws})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.trouble: list[str] = []

    def address(self, theme: str = "light", height: int = 640) -> str:
        """The page, with the theme and height that the viewer has chosen."""
        settings = json.dumps({**self._settings, "theme": theme, "height": height})
        return f"http://127.0.0.1:{self._server.server_port}/?{theme}#{quote(settings)}"

    @contextmanager
    def browser(self, chromium: str, width: int = 1480, height: int = 860) -> Iterator[Page]:
        """A page of a headless Chromium. What its console complains of is collected in `trouble`."""
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-gpu", "--disable-dev-shm-usage"])
            try:
                page = browser.new_page(viewport={"width": width, "height": height})
                page.set_default_timeout(20_000)
                page.on("console", lambda said: self.trouble.append(said.text) if said.type in ("error", "warning") else None)
                page.on("pageerror", lambda error: self.trouble.append(str(error)))
                yield page
            finally:
                browser.close()

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    aws: LocalAws

    def do_GET(self) -> None:
        self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())

    def do_POST(self) -> None:
        sent: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.aws.functions.invoke(FunctionName=sent["endpoint"], Payload=json.dumps(sent["event"]).encode())
        payload = answer["Payload"].read()
        self._answer(502 if answer.get("FunctionError") else 200, "application/json", payload)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep quiet."""
