"""Logs are one JSON object per line on standard output."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from .config import Settings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonLines(logging.Formatter):
    """timestamp, level, message, who wrote it, and whatever was passed as `extra`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._who = {
            "service": settings.service,
            "release": settings.release,
            "host": settings.host,
            "replica": settings.replica,
        }

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self._who,
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start_logging(settings: Settings) -> None:
    """Every logger of this process, libraries included, writes JSON lines from here on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(settings))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # Requests are logged by the application, with their duration and once only.
    logging.getLogger("uvicorn.access").disabled = True
    # It announces every open and close of a WebSocket.
    logging.getLogger("uvicorn.error").setLevel(max(logging.getLogger().level, logging.WARNING))
