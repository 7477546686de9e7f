"""Structured logging: one line with a JSON object for each record."""

import json
import logging
from datetime import datetime, timezone

MOST_TEXT = 10_000  # characters of a message, an extra or a traceback
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of ASCII JSON: time (UTC), level, logger, message, extras."""

    def format(self, record: logging.LogRecord) -> str:
        extras = {name: value for name, value in vars(record).items() if name not in STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **extras,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: bounded(value) for name, value in line.items()}, default=str)


def bounded(value: object) -> object:
    """Return a text without its middle if it is too long for a log; any other value as it is."""
    if not isinstance(value, str) or len(value) <= MOST_TEXT:
        return value
    half = MOST_TEXT // 2
    return f"{value[:half]} ... ({len(value)} characters) ... {value[-half:]}"
