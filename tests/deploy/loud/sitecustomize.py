"""Loaded by every Python with this folder in PYTHONPATH: each logger says all that it knows, as no operator should have it.

An application log level of DEBUG in the Lambda console does the root logger's part of this; the rest would take a change of code.
"""

import logging
import os
import sys
import types

if "ROSTERWATCH_UNGUARDED" in os.environ:  # the protection taken away, to see what it protects from
    sys.modules["rosterwatch.quiet"] = types.SimpleNamespace(install=lambda: None)  # type: ignore[assignment]
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s %(args)s")
for name in ("asyncio", "boto3", "botocore", "httpcore", "httpx", "rosterwatch", "urllib3"):
    logging.getLogger(name).setLevel(logging.DEBUG)
