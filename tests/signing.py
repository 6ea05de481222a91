"""A repository whose commits are signed, by ssh, as people sign theirs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


def key_pair(path: Path) -> str:
    """Makes a key at `path` and returns its public half."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(words, check=True)
    return path.with_suffix(".pub").read_text(encoding="ascii").strip()


@dataclass(frozen=True)
class Signed:
    """A working copy, its bare repository beside it, and the key that signs."""

    path: Path
    bare: Path
    key: Path

    def git(self, *words: str) -> str:
        settings = {
            "user.name": "Ann", "user.email": "ann@example.com", "gpg.format": "ssh",
            "user.signingKey": str(self.key), "init.defaultBranch": "main",
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        done = subprocess.run(["git", *options, *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, is_signed: bool = True) -> str:
        """Commits whatever lies there, pushes it to the bare repository, and returns its id."""
        self.git("add", "--all")
        sign = "--gpg-sign" if is_signed else "--no-gpg-sign"
        self.git("commit", "--quiet", "--allow-empty", sign, "--message", "a change")
        self.git("push", "--quiet", "--force", str(self.bare), "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")


def signed(folder: Path, path: Path) -> Signed:
    """A repository in `path`, with nothing committed yet; its bare one and its key lie in `folder`."""
    made = Signed(path, folder / "project.git", folder / "signer")
    key_pair(made.key)
    path.mkdir(exist_ok=True)
    made.git("init", "--quiet", ".")
    made.git("init", "--quiet", "--bare", str(made.bare))
    return made
