"""The log as JSON, one object a line, for whatever gathers logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


class Lines(logging.Formatter):
    """What a record says; a message that is a JSON object already gives its own fields."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        try:
            said = json.loads(message)
        except ValueError:
            said = message
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname, "logger": record.name}
        line |= said if isinstance(said, dict) else {"message": message}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
