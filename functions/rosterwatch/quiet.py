"""Libraries that write down what they send and receive are kept from doing so, whatever level is set and wherever the log goes.

botocore logs the secrets that it reads, httpcore the cookies and redirects of an answer, httpx the query of a URL: all below
WARNING, and all in CloudWatch as soon as the function's log level in the Lambda console, or somebody's root logger, is DEBUG. A
level of their own would not hold: the next ``setLevel`` lifts it. So their lines are emptied where every line is made.
"""

from __future__ import annotations

import logging
from typing import Any, Final

WITHHELD: Final = "(withheld: it may hold secrets)"
_TALKATIVE: Final = frozenset({"boto3", "botocore", "httpcore", "httpx", "s3transfer", "urllib3"})


def install() -> None:
    """Have all lines of the process made by us, on top of whoever made them before."""
    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if record.levelno < logging.WARNING and record.name.partition(".")[0] in _TALKATIVE:
            record.msg, record.args, record.exc_info = WITHHELD, None, None
        return record

    logging.setLogRecordFactory(made)
