"""What the reconciler's program runs, and what it refuses to run: with git and ssh's signatures as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from roles.reconciler.data import Reconciler
from roles.reconciler.tasks import program
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.reconcile.settings import Reconcile
from slipway.secrets import Secrets
from tests.signing import Signed, key_pair, signed

OPS = Member("ops1", "192.0.2.51", ("reconcilers",))

pytestmark = pytest.mark.sweep  # a dozen runs of git and ssh-keygen each

PYTHON = """\
#!/bin/sh
# Stands for the interpreter: makes an environment of itself, and writes down what it was to run.
case "$*" in
    --version) echo Python 3.11 ;;
    "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    "-m slipway "*) { echo "$*"; git rev-parse HEAD; git status --porcelain; } >> "$HOME/ran" ;;
esac
"""


@dataclass(frozen=True)
class Ops:
    """The program with a home of its own."""

    home: Path
    repository: Signed
    source: Path

    def bring(self, **declared: object) -> None:
        data = Reconciler.model_validate({"url": self.repository.bare.as_uri(), **declared})
        watching = Reconcile(metrics=str(self.home / "metrics"))
        context = Context(OPS, Fleet('od"d', (OPS,)), Secrets("test", {}.get), reconcile=watching)
        self.source.write_text(program(data, context, str(self.home), str(self.home / "etc")), encoding="utf-8")

    def run(self) -> subprocess.CompletedProcess[str]:
        path = f"{self.home}/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", self.source],
            env={"PATH": path},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def ran(self) -> list[str]:
        file = self.home / "ran"
        return file.read_text().splitlines() if file.is_file() else []

    @property
    def verified(self) -> str:
        """The metric's own line."""
        [file] = (self.home / "metrics").iterdir()
        assert file.stat().st_mode & 0o777 == 0o644
        return file.read_text().splitlines()[-1]


ONE, ZERO = (f'slipway_reconciler_checkout_verified{{inventory="od\\"d"}} {verdict}' for verdict in (1, 0))


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    """A home, and a repository with one signed commit."""
    home = tmp_path / "home"
    for name in ("bin", "etc", "metrics"):
        (home / name).mkdir(parents=True)
    (home / "bin/python3").write_text(PYTHON)
    (home / "bin/python3").chmod(0o755)
    repository = signed(tmp_path, tmp_path / "work")
    (home / "etc/allowed_signers").write_text(f"ann@example.com {repository.key.with_suffix('.pub').read_text()}")
    (repository.path / "requirements.lock").write_text("# nothing\n")
    (repository.path / "deploy.py").write_text("one\n")
    repository.commit()
    made = Ops(home, repository, tmp_path / "program")
    made.bring()
    return made


def test_what_was_signed_is_run_from_its_own_commit(ops: Ops) -> None:
    """The newest signed commit, a clean tree as git sees it; and the next one after it."""
    for text in ("two\n", "three\n"):
        (ops.repository.path / "deploy.py").write_text(text)
        commit = ops.repository.commit()
        done = ops.run()
        assert done.returncode == 0, done.stderr
        assert ops.ran[-2:] == ['-m slipway reconcile od"d --watched --mend drift', commit]
        assert (ops.home / "checkout/deploy.py").read_text() == text
        assert ops.verified == ONE


def unsigned(ops: Ops) -> None:
    ops.repository.commit(is_signed=False)


def strangers(ops: Ops) -> None:
    key_pair(ops.repository.key.with_name("stranger"))
    stranger = Signed(ops.repository.path, ops.repository.bare, ops.repository.key.with_name("stranger"))
    stranger.commit()


def set_back(ops: Ops) -> None:
    ops.repository.git("reset", "--quiet", "--hard", "HEAD~1")
    (ops.repository.path / "other").write_text("")
    ops.repository.commit()


def edited(ops: Ops) -> None:
    file = ops.home / "checkout/deploy.py"
    before = file.stat()
    file.write_text("TWO\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def added(ops: Ops) -> None:
    (ops.home / "checkout/.slipway").mkdir()
    (ops.home / "checkout/.slipway/evil.py").write_text("")


def removed(ops: Ops) -> None:
    (ops.home / "checkout/deploy.py").unlink()


def store_changed(ops: Ops) -> None:
    """The store says that the changed file is the right one."""
    blob = ops.repository.git("rev-parse", "HEAD:deploy.py")
    wrong = ops.repository.path / "wrong"
    wrong.write_text("TWO\n")
    other = ops.repository.git("hash-object", "-w", "wrong")
    objects = ops.repository.path / ".git/objects"
    place = ops.home / "source.git/objects" / blob[:2] / blob[2:]
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    shutil.copy(objects / other[:2] / other[2:], place)


@pytest.mark.parametrize("damage", [unsigned, strangers, set_back, edited, added, removed, store_changed])
def test_anything_else_is_refused(ops: Ops, damage: Callable[[Ops], None]) -> None:
    """Nothing of it is run, the metric says 0, and the journal says what it was and what to do."""
    (ops.repository.path / "deploy.py").write_text("two\n")
    (ops.repository.path / ".gitignore").write_text(".slipway/\n")
    ops.repository.commit()
    assert ops.run().returncode == 0
    ran = ops.ran
    damage(ops)
    done = ops.run()
    assert (done.returncode, ops.ran, ops.verified) == (1, ran, ZERO), done.stdout + done.stderr
    assert "refused: " in done.stderr
    assert "nothing was run" in done.stderr


def test_a_tag_is_the_one_that_is_named(ops: Ops) -> None:
    """A signed tag is run; another one that was pushed under its name is refused, and one that nobody signed."""
    git = ops.repository.git
    bare = str(ops.repository.bare)
    git("tag", "--sign", "--message", "old", "v1")
    git("push", "--quiet", bare, "v1")
    ops.bring(tag="v1")
    assert ops.run().returncode == 0
    assert ops.verified == ONE
    git("push", "--quiet", "--force", bare, "v1:refs/tags/v2")
    ops.bring(tag="v2")
    assert (ops.run().returncode, ops.verified) == (1, ZERO)
    git("push", "--quiet", "--force", bare, "HEAD:refs/tags/v3")
    ops.bring(tag="v3")
    assert ops.run().returncode == 1


def test_without_its_server_it_goes_on_with_what_it_has_seen(ops: Ops) -> None:
    """A fetch that fails is a warning; where nothing was ever verified, nothing is run."""
    away = ops.repository.bare.with_name("away")
    ops.repository.bare.rename(away)
    assert ops.run().returncode == 1
    assert ops.ran == []
    away.rename(ops.repository.bare)
    assert ops.run().returncode == 0
    ops.repository.bare.rename(away)
    done = ops.run()
    assert (done.returncode, ops.verified) == (0, ONE), done.stderr
    assert "cannot be fetched; going on with" in done.stderr
    assert len(ops.ran) == 4
