"""Visits in a process of their own, so that its memory can be weighed: `python -m tests.integration.lone_visit CA_FILE`.

Standard input holds a JSON list of two secrets. The first district is visited to warm up, the second is weighed; what comes
out is one JSON object with its causes, the seconds it took and how many kibibytes the process grew by at its highest.
"""

import asyncio
import json
import resource
import sys
import time

from rosterwatch.case import Known
from rosterwatch.client import Network
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import District, parse_secret
from rosterwatch.finding import Diagnosis
from rosterwatch.probe import probe


def visit(text: str, ca_file: str) -> Diagnosis:
    district = parse_secret("springfield", text)
    assert isinstance(district, District)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def run() -> Diagnosis:
        network = Network(ca_bundle=ca_file, allow_private=True, resolver=resolve)
        return diagnose(await probe(district, network, seconds=20), Known("rosterwatch/springfield"))

    return asyncio.run(run())


def highest() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    first, second = (json.dumps(secret) for secret in json.load(sys.stdin))
    for _ in range(2):
        assert visit(first, sys.argv[1]).primary is None
    before, started = highest(), time.monotonic()
    diagnosis = visit(second, sys.argv[1])
    found = [finding.cause.name for finding in diagnosis.findings]
    weighed = {"causes": found, "seconds": time.monotonic() - started, "growth": highest() - before}
    sys.stdout.write(json.dumps(weighed))


if __name__ == "__main__":
    main()
