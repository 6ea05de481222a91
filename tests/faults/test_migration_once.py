"""A migration runs once, and not on a database that takes no writes: its operation alone, without a host."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.connectors.util import CommandOutput, OutputLine

from slipway.container import ContainerSpec
from slipway.ops import migrations
from slipway.ops.migrations import GAVE_UP, LOCK_TRIES, Database
from tests.faults.brought import Listening, Nobody, words_of

SPEC = ContainerSpec("shop", "web", 1, "one", "image:1", "shop", argv=("migrate",))
LEDGER = Database("host", "shop", 5432)
HOLDER = '[{"pid": 4711, "who": "clerk", "whence": "10.0.0.9", "state": "idle in transaction", "seconds": 34, ' \
    '"query": "UPDATE orders SET paid = true", "tables": "orders"}]'  # fmt: skip


class Answering(Listening):
    """A database that says these things, and containers that end so."""

    finished, writes, fails = "", "off", ""

    def run_shell_command(self, command: StringCommand, *args: Any, **arguments: Any) -> tuple[bool, CommandOutput]:
        self.asked.append(command)
        text = words_of(command)
        if any("docker create" in word for word in text):
            return not self.fails, CommandOutput([OutputLine("stderr", self.fails)] if self.fails else [])
        said = self._said(" ".join(text))
        return True, CommandOutput([OutputLine("stdout", said)] if said else [])

    def _said(self, text: str) -> str:
        if "pg_is_in_recovery" in text:
            return f'"{self.writes}"'
        if "pg_stat_activity" in text:
            return HOLDER
        return self.finished if "slipway.migration WHERE key" in text else ""


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Nobody:
    monkeypatch.setattr(migrations, "LOCK_PAUSE", 0)
    made = Nobody("host")
    made.host.connector.__class__ = Answering
    return made


def migrate(nobody: Nobody, **says: str) -> int:
    """How many containers of the migration were started."""
    for name, said in says.items():
        setattr(nobody.host.connector, name, said)
    done = lambda: migrations.done(name="Migrate", spec=SPEC, key="k", seconds=5, ledger=LEDGER)  # noqa: E731
    return started(nobody.brought(done).raw)


def started(lines: list[str]) -> int:
    return sum("docker create" in line for line in lines)


def test_it_runs_where_the_ledger_does_not_know_it(nobody: Nobody) -> None:
    """Once."""
    assert migrate(nobody) == 1


def test_it_does_not_run_again(nobody: Nobody) -> None:
    """The ledger knows that it was finished: no container is started."""
    assert migrate(nobody, finished="one") == 0


@pytest.mark.parametrize(("says", "told"), [("standby", "it is a standby"), ("on", "its settings say so")])
def test_it_does_not_begin_on_a_database_that_takes_no_writes(nobody: Nobody, says: str, told: str) -> None:
    """Which database on which host, why, and what to do; nothing was started."""
    with pytest.raises(OperationError, match=f"shop on host is read-only .{told}.: nothing was migrated\n  HINT: "):
        migrate(nobody, writes=says)
    assert started([str(command) for command in nobody._asked]) == 0


def test_one_that_gave_up_waiting_is_tried_again_and_then_says_who_holds_the_lock(nobody: Nobody) -> None:
    """A few times and no more; the process id, who, since when, and the statement."""
    with pytest.raises(OperationError) as failed:
        migrate(nobody, fails=f"canceling statement due to {GAVE_UP}")
    assert started([str(command) for command in nobody._asked]) == LOCK_TRIES
    told = str(failed.value)
    assert "pid 4711 (clerk from 10.0.0.9, idle in transaction, transaction open for 34 s) holds orders" in told
    assert "UPDATE orders SET paid = true" in told
    assert "HINT: end what blocks, as by SELECT pg_terminate_backend(4711) in shop" in told


def test_one_that_fails_otherwise_is_not_tried_again(nobody: Nobody) -> None:
    """Its own words are the error."""
    with pytest.raises(OperationError, match='column "x" does not exist'):
        migrate(nobody, fails='column "x" does not exist')
    assert started([str(command) for command in nobody._asked]) == 1
