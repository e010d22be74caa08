"""The lane of a script as most people would write it: requests, a Session for each district, threads for many of them."""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def check(plan: dict[str, Any], url: str) -> bool:
    """Whether a district gives a token, and a record of every collection."""
    with requests.Session() as session:
        session.verify = plan["ca_file"]
        pair = (plan["consumer_id"], plan["consumer_secret"])
        granted = session.post(f"{url}/token", data={"grant_type": "client_credentials"}, auth=pair, timeout=60)
        granted.raise_for_status()
        session.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
        for name in plan["collections"]:
            answer = session.get(f"{url}/ims/oneroster/v1p1/{name}", params={"limit": 1}, timeout=60)
            answer.raise_for_status()
            if not any(record.get("sourcedId") for records in answer.json().values() for record in records):
                return False
    return True


def main() -> None:
    """Do what the plan says, and print what it took."""
    if hasattr(urllib3, "AsyncPoolManager"):
        sys.exit("another package has taken the place of urllib3: nothing measured here would mean anything")
    plan = json.loads(sys.stdin.readline())
    print("ready", flush=True)
    sys.stdin.readline()
    started_cpu, started = cpu(), time.monotonic()
    with ThreadPoolExecutor(plan["side_by_side"]) as threads:
        good = sum(threads.map(lambda url: check(plan, url), plan["urls"]))
    told = {"run_cpu": cpu() - started_cpu, "wall": time.monotonic() - started, "startup_cpu": started_cpu, "good": good}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
