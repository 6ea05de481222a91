"""A migration that is killed in the middle, by its controller's death or by its own, is done once and whole."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.faults.house import LONGEST_SECONDS, House
from tests.faults.sweep import Sweep

pytestmark = [pytest.mark.hosts, pytest.mark.sample("accidents on the house", 1)]

STATEMENTS = 4
SLOW = """
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    op.execute("create table if not exists steps (n int, at timestamptz default clock_timestamp())")
    op.execute("insert into steps values ({number})")
    op.execute("select pg_sleep(0.7)")
"""
"""A migration that says when it ran; each is a transaction of its own."""


@pytest.fixture
def slow(sweep: Sweep) -> Iterator[House]:
    """A release with four more migrations; afterwards the schema is what it was, and the house at version A."""
    house = sweep.house
    sweep.go("A")
    before = "0003_jobs_by_time"
    for number in range(1, STATEMENTS + 1):
        revision = f"9{number:03}_slow"
        text = SLOW.format(revision=revision, before=before, number=number)
        house.write(f"stacks/demo/migrations/versions/{revision}.py", text)
        before = revision
    house.forget()  # that these have been done once, by the test before
    yield house
    for path in (house.path / "stacks/demo/migrations/versions").glob("9*_slow.py"):
        path.unlink()
    psql(house, "drop table if exists steps; update alembic_version set version_num = '0003_jobs_by_time'")
    house.deploy()


def psql(house: House, text: str) -> str:
    return house.told(f'cd /; runuser -u postgres -- psql -XAtqw demo -c "{text}"').strip()


def until_it_runs(house: House, deploy: subprocess.Popen[str]) -> None:
    """Returns when the migration's container runs and has done something."""
    while not done_so_far(house):
        assert deploy.poll() is None, f"no migration began: {deploy.communicate()[0]}"
        time.sleep(0.1)  # nothing tells when a statement has been committed


def done_so_far(house: House) -> str:
    return psql(house, "select string_agg(n::text, ' ' order by at) from steps") if has_begun(house) else ""


def has_begun(house: House) -> bool:
    return psql(house, "select to_regclass('steps') is not null") == "t"


def test_the_next_run_waits_for_a_migration_whose_controller_died_and_none_is_run_twice(slow: House) -> None:
    """Killed in the middle: it goes on by itself; the next run waits for it; each statement ran once, in order."""
    first = slow.struck("before", 0)
    until_it_runs(slow, first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    slow.deploy()
    assert done_so_far(slow) == " ".join(str(n) for n in range(1, STATEMENTS + 1))
    assert "No changes: all as wanted." in slow.deploy().stderr


def test_a_migration_that_is_killed_itself_is_told_nothing_is_restarted_and_a_run_goes_on_from_there(
    slow: House,
) -> None:
    """Its container killed in the middle: exit 1 with its end; what served serves; the next run does the rest."""
    serving = slow.told("docker ps --format '{{.Names}} {{.ID}}' | sort")
    first = slow.struck("before", 0)
    until_it_runs(slow, first)
    slow.told("docker kill demo-migrate")
    said, _ = first.communicate(timeout=LONGEST_SECONDS)
    assert first.returncode == 1
    assert "Migrate the schema" in said, said
    assert "137" in said, said
    assert slow.told("docker ps --format '{{.Names}} {{.ID}}' | sort") == serving
    slow.deploy()
    assert done_so_far(slow).split() == [str(n) for n in range(1, STATEMENTS + 1)]
