"""What this machine needs to carry a lab: a Docker engine and, without an image registry, mmdebstrap; and for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

from slipway.paths import state_dir

SOCKET = Path("/var/run/docker.sock")
BOOTSTRAP = ["mmdebstrap", "debian-archive-keyring", "gpg", "libdpkg-perl", "libdistro-info-perl"]
"""mmdebstrap, and what it only recommends but needs to make another Debian release than the machine's own."""
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_ENOUGH = 512
"""A booted host takes three or four of them; the kernel's 128 are shared by all of root's processes on this machine.

Where none is left, systemd on a host cannot watch anything, and its path units fail (`Failed to create inotify object:
Too many open files`). This is enough for a hundred hosts.
"""
START_SECONDS = 60
"""A first start of the engine on a slow disk takes some seconds; a minute means that it will not come."""


@dataclass(frozen=True)
class Need:
    """Something that is missing, and how it is got."""

    what: str
    do: Callable[[], None]


def make_ready(consent: bool, more: Sequence[Need] = ()) -> None:
    """Installs and starts what is missing, after saying what and being told to go on. Ends the program where not.

    + more: what is missing besides what container hosts need
    """
    needs = [*missing(), *more]
    if not needs:
        return
    click.echo("This machine lacks what this needs. Will:", err=True)
    for need in needs:
        click.echo(f"  - {need.what}", err=True)
    if not consent and not _agreed():
        _refuse("not done. Run again with --yes, or do it by hand.")
    for need in needs:
        click.echo(f"--> {need.what}", err=True)
        need.do()


def missing() -> list[Need]:
    """What is missing, in the order in which it has to be got."""
    packages = []
    if not _engine_answers() and shutil.which("dockerd") is None:
        packages.append("docker.io")
    if shutil.which("mmdebstrap") is None:
        packages += BOOTSTRAP
    if shutil.which("ssh") is None:
        packages.append("openssh-client")
    needs = []
    if packages:
        needs.append(Need(f"install from the distribution: {', '.join(packages)}", lambda: _install(packages)))
    if not _engine_answers():
        needs.append(Need("start the Docker engine", start_engine))
    if has_few_watches():
        needs.append(Need(f"allow {INOTIFY_ENOUGH} inotify instances until the next boot", _allow_watches))
    return needs


def has_few_watches() -> bool:
    """Whether a few labs use up this machine's inotify instances; false where its limit cannot be read."""
    try:
        return int(INOTIFY.read_text()) < INOTIFY_ENOUGH
    except (OSError, ValueError):
        return False


def _allow_watches() -> None:
    """A machine that does not let its limits be changed still carries a lab or two: told, and no reason to stop."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    # tee, because a machine may lack sysctl and only root may write here.
    words, value = [*sudo, "tee", str(INOTIFY)], f"{INOTIFY_ENOUGH}\n"
    done = subprocess.run(words, input=value, text=True, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=False)
    if done.returncode != 0:
        click.echo("slipway: it stays as it is: enough for some twenty hosts at a time", err=True)


def missing_tools() -> list[Need]:
    """What the tests need besides: a browser to look at pages, and promtool to evaluate alert rules."""
    from slipway import machine_tools

    needs = []
    if machine_tools.chromium() is None:
        needs.append(Need("install from the distribution: chromium", lambda: _install(["chromium"])))
    if machine_tools.promtool() is None:
        where = machine_tools.UNPACKED
        needs.append(Need(f"unpack promtool from the distribution's prometheus into {where}", _unpack_promtool))
    return needs


def _unpack_promtool() -> None:
    from slipway import machine_tools

    if shutil.which("apt-get") is None:
        _refuse("there is no apt-get here. Put promtool on the PATH by hand")
    _as_root("apt-get", "update", "-qq")
    try:
        machine_tools.unpack_promtool()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _refuse(f"promtool could not be unpacked: {error}. See above; then run again.")


def _engine_answers() -> bool:
    from docker import DockerClient
    from docker.errors import DockerException

    try:
        # Two seconds: a local socket answers at once or not at all.
        DockerClient.from_env(timeout=2).ping()
    except (DockerException, OSError) as error:
        if "Permission denied" in str(error):
            _refuse("the Docker engine runs, but not for you. Run again with sudo, or join its group: docker.")
        return False
    return True


def _agreed() -> bool:
    return sys.stdin.isatty() and click.confirm("Go on?", default=False, err=True)


def _refuse(why: str) -> NoReturn:
    click.echo(f"slipway: {why}", err=True)
    sys.exit(1)


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        _refuse(f"there is no apt-get here. Install by hand: {', '.join(packages)}")
    _as_root("apt-get", "update", "-qq")
    _as_root("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, *_beside_docker(packages))


def _beside_docker(packages: list[str]) -> list[str]:
    """What docker.io only recommends, and cannot do without here."""
    return ["iptables", "ca-certificates"] if "docker.io" in packages else []


def _as_root(*words: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    environment = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive"]
    if subprocess.run([*environment, *words], stdout=sys.stderr, check=False).returncode != 0:
        _refuse(f"failed: {' '.join(words)}. See above; then run again.")


def start_engine() -> None:
    """Starts dockerd: by systemd where it runs, else by hand in the background. Returns when it answers."""
    if Path("/run/systemd/system").is_dir():
        _as_root("systemctl", "start", "docker")
    else:
        _start_by_hand()
    deadline = time.monotonic() + START_SECONDS
    while not _engine_answers():
        if time.monotonic() > deadline:
            _refuse(f"the Docker engine did not answer within {START_SECONDS} s; its log: {_log()}")
        time.sleep(0.3)  # nothing tells when a socket begins to answer; bounded by the deadline


def _log() -> Path:
    return state_dir() / "dockerd.log"


def _start_by_hand() -> None:
    """In a session of its own, so that it outlives this command."""
    _log().parent.mkdir(parents=True, exist_ok=True)
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    with _log().open("ab") as log:
        subprocess.Popen([*sudo, "dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
