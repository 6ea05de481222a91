"""The whole application, started once for its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.stack import NotYet, Stack, until


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Postgres, Redis, the migrated schema and the four services, ready."""
    stack = Stack(tmp_path_factory.mktemp("secrets"))
    try:
        _start(stack)
        yield stack
    finally:
        stack.close()


def _start(stack: Stack) -> None:
    stack.start_data()
    until(lambda: _migrated(stack), "the first migration")
    for service in ("api", "ws", "worker", "scheduler"):
        setattr(stack, service, stack.start(service))
    until(lambda: stack.ask(stack.api, "/ready").status == 200, "api ready")
    until(lambda: stack.ask(stack.ws, "/ready", port=8001).status == 200, "ws ready")


def _migrated(stack: Stack) -> bool:
    """Postgres takes a second or two to come up; the migration says so and is tried again."""
    container = stack.migrate()
    status, said = container.wait()["StatusCode"], container.logs().decode()
    stack.forget(container)
    if status:
        raise NotYet(f"exit {status}: {said[-500:]}")
    return True
