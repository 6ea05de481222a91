"""What the application is told by its environment: read once at the start, all mistakes said together."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

EVERYTHING = frozenset({"database", "redis", "session"})
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class BadSettings(Exception):
    """One line per mistake: the variable, what is wrong with it, never its value where it is a secret."""


@dataclass(frozen=True)
class Settings:
    """The configuration of one process. Secrets come from files and are left out of its `repr`."""

    service: str = "demo"
    db_host: str = ""
    db_port: int = 5432
    db_name: str = ""
    db_user: str = ""
    db_password: str = field(default="", repr=False)
    redis_host: str = ""
    redis_port: int = 6379
    redis_password: str = field(default="", repr=False)
    session_key: bytes = field(default=b"", repr=False)
    release: str = "unreleased"
    host: str = ""
    replica: str = ""
    log_level: str = "INFO"
    drain_seconds: int = 20
    """How long open WebSockets may go on after SIGTERM before they are closed."""

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], service: str = "demo", needs: Collection[str] = EVERYTHING
    ) -> Settings:
        """The settings of a process that `needs` these of database, redis and session. Raises BadSettings."""
        source = _Source(environ)
        values = _identity(source, service)
        if "database" in needs:
            values |= _database(source)
        if "redis" in needs:
            values |= _redis(source)
        if "session" in needs:
            values["session_key"] = source.secret("SESSION_KEY_FILE").encode()
        if source.mistakes:
            raise BadSettings("\n".join(source.mistakes))
        return cls(**values)


class _Source:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.mistakes: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environ.get(name, "") or default
        if value is None:
            self.mistakes.append(f"{name} is not set")
        return value or ""

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if not text.isdecimal() or not low <= int(text) <= high:
            self.mistakes.append(f"{name} must be a number from {low} to {high}, not {text!r}")
            return default
        return int(text)

    def choice(self, name: str, default: str, known: Collection[str]) -> str:
        text = self.text(name, default).upper()
        if text not in known:
            self.mistakes.append(f"{name} must be one of {', '.join(known)}, not {text!r}")
        return text

    def secret(self, name: str) -> str:
        path = self.text(name)
        try:
            value = Path(path).read_text().strip() if path else ""
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            self.mistakes.append(f"{name}: cannot read {path}: {reason}")
            return ""
        if path and not value:
            self.mistakes.append(f"{name}: {path} is empty")
        return value


def _identity(source: _Source, service: str) -> dict:
    hostname = socket.gethostname()
    return {
        "service": service,
        "release": source.text("SLIPWAY_RELEASE", "unreleased"),
        "host": source.text("SLIPWAY_HOST", hostname),
        "replica": source.text("SLIPWAY_REPLICA", hostname),
        "log_level": source.choice("LOG_LEVEL", "INFO", LEVELS),
        "drain_seconds": source.number("DRAIN_SECONDS", 20, 0, 3600),
    }


def _database(source: _Source) -> dict:
    return {
        "db_host": source.text("DB_HOST"),
        "db_port": source.number("DB_PORT", 5432, 1, 65535),
        "db_name": source.text("DB_NAME"),
        "db_user": source.text("DB_USER"),
        "db_password": source.secret("DB_PASSWORD_FILE"),
    }


def _redis(source: _Source) -> dict:
    return {
        "redis_host": source.text("REDIS_HOST"),
        "redis_port": source.number("REDIS_PORT", 6379, 1, 65535),
        "redis_password": source.secret("REDIS_PASSWORD_FILE"),
    }
