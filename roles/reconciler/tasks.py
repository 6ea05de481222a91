"""Brings a host the timer that reconciles the fleet, and everything that it may use."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from roles.reconciler.data import Reconciler
from roles.reconciler.here import ACCOUNT, account_of, has_key, is_here
from slipway.context import Context
from slipway.ops import files, packages, units, users
from slipway.problems import BadInput, Problem, Problems
from slipway.pull.place import place_of
from slipway.render import render

HOME = "/var/lib/slipway-reconciler"
CONFIGURATION = "/etc/slipway-reconciler"
KEY, AGE_KEY = f"{CONFIGURATION}/key", f"{CONFIGURATION}/age.key"
KNOWN_HOSTS, SIGNERS = f"{CONFIGURATION}/known_hosts", f"{CONFIGURATION}/allowed_signers"
PROGRAM = "/usr/local/sbin/slipway-reconcile"
NO_SHELL = "/usr/sbin/nologin"
UNIT = "slipway-reconcile"
PACKAGES = ["git", "openssh-client", "python3", "python3-venv"]


def tasks(data: Reconciler, ctx: Context) -> None:
    """Account, keys, program, unit and timer; a stopped timer and no keys where `enabled` says no. Raises BadInput."""
    if not is_here(data, ctx):
        return
    if not data.enabled:
        turned_off()
        return
    refuse_unfit(data, ctx)
    # Whoever comes in by ssh has sudo already; a host that works as root itself becomes others by it.
    names = [*PACKAGES, "sudo"] if data.pull else PACKAGES
    packages.installed(names=names, start=False, name="Install what the reconciler runs on")
    own = account_of(data)
    if own == ACCOUNT:
        users.account(user=ACCOUNT, comment="Slipway reconciler's runs", home=HOME, shell=NO_SHELL,
                      name="Make the account of its runs")  # fmt: skip
    for path in dict.fromkeys((HOME, ctx.reconcile.reports or HOME)):
        files.directory(path=path, mode="700", owner=own, group=own, name="Make the reconciler's directory")
    if ctx.reconcile.metrics:
        # Others' collectors run as root, and node_exporter only reads.
        files.directory(path=ctx.reconcile.metrics, mode="775", group=own, name="Make the directory of metrics")
    identity(data, ctx)
    files.put(path=PROGRAM, content=program(data, ctx), mode="755", check=["sh", "-n", files.CANDIDATE],
              name="Write the program that checks and reconciles")  # fmt: skip
    units.unit_file(filename=f"{UNIT}.service", content=service(data, ctx), name="Write the unit that reconciles")
    units.unit_file(filename=f"{UNIT}.timer", content=timer(data, ctx), name="Write the timer that reconciles")
    units.unit(unit=f"{UNIT}.timer", name="Start the timer that reconciles")


def turned_off() -> None:
    """No timer, and nothing that lets it in anywhere; its reports stay."""
    units.unit(unit=f"{UNIT}.timer", running=False, enabled=False, name="Stop the timer that reconciles")
    for path in (KEY, AGE_KEY):
        files.absent(path=path, name="Take away the reconciler's key")


def refuse_unfit(data: Reconciler, ctx: Context) -> None:
    """Raises BadInput for what is missing or does not go together."""
    problems = Problems()
    wanted: dict[str, tuple[object, str]] = {
        "url": (data.url, "say where the project is fetched from"),
        "allowed_signers": (data.allowed_signers, "say whose signatures are good: without one nothing may run"),
    }
    if has_key(data):
        whose = "the git server" if data.pull else "the fleet"
        wanted["known_hosts"] = (data.known_hosts, f"give the host keys of {whose}: ssh-keyscan, compare fingerprints")
    if data.pull:
        problems.extend(unfit_to_pull(data, ctx))
    for field, (value, hint) in wanted.items():
        if not value:
            problems.add(f"reconciler.{field}", "is missing", hint)
    if data.url and ctx.reconcile.metrics == "":
        hint = 'reconcile = {"metrics": "/var/lib/prometheus/node-exporter"}: without it no alert can be raised'
        problems.add("reconcile.metrics", "is missing, and the inventory has a reconciler", hint)
    if problems:
        raise BadInput(list(problems))


def unfit_to_pull(data: Reconciler, ctx: Context) -> Iterator[Problem]:
    """What hosts that converge themselves need and do not have."""
    if place_of(ctx.reconcile.leases, ctx.fleet, ctx.stack, ctx.secrets) is None:
        hint = 'reconcile = {"leases": {"redis": "cache1", "password": "redis_password"}}: they take turns by it'
        yield Problem("reconcile.leases.redis", "is missing, the stack has no Redis, and reconciler.pull is set", hint)
    if ctx.secrets.source.startswith("age ") and not data.age_key:
        hint = "name the secret that holds an age key of the hosts: each of them reads the secrets itself"
        yield Problem("reconciler.age_key", "is missing, the secrets are encrypted, and reconciler.pull is set", hint)
    if ctx.secrets.source.startswith("file "):
        hint = "use an encrypted file: age:PATH, and reconciler.age_key"
        yield Problem("reconciler.pull", "the secrets lie beside the checkout, which no host's own has", hint)


def identity(data: Reconciler, ctx: Context) -> None:
    """Its keys, and whom it trusts: root's files, which its runs can read and not replace."""
    own = account_of(data)
    files.directory(path=CONFIGURATION, mode="750", group=own, name="Make the reconciler's configuration directory")
    if has_key(data):
        # Its own, since neither ssh nor age takes a key that a group can read.
        files.put(path=KEY, content=f"{ctx.secret(data.key).reveal().strip()}\n", mode="400", owner=own, group=own,
                  secret=True, name="Write the reconciler's key")  # fmt: skip
    else:
        files.absent(path=KEY, name="Leave the reconciler no key")
    if data.age_key:
        files.put(path=AGE_KEY, content=f"{ctx.secret(data.age_key).reveal().strip()}\n", mode="400", owner=own,
                  group=own, secret=True, name="Write the reconciler's age key")  # fmt: skip
    else:
        files.absent(path=AGE_KEY, name="Leave the reconciler no age key")
    files.put(path=KNOWN_HOSTS, content=listed(data.known_hosts), mode="640", group=own,
              name="Write the host keys of the fleet")  # fmt: skip
    files.put(path=SIGNERS, content=listed(data.allowed_signers), mode="640", group=own,
              name="Write whose signatures are good")  # fmt: skip


def listed(lines: list[str]) -> str:
    """A file of these lines."""
    return render("reconciler/lines.j2", lines=lines)


def program(data: Reconciler, ctx: Context, home: str = HOME, configuration: str = CONFIGURATION) -> str:
    """The shell program; every value in it is quoted for the shell."""
    label = ctx.fleet.inventory.replace("\\", "\\\\").replace('"', '\\"')
    words = {
        "inventory": ctx.fleet.inventory,
        "label": label,
        "metrics": ctx.reconcile.metrics,
        "url": data.url,
        "reference": f"refs/tags/{data.tag}" if data.tag else f"refs/heads/{data.branch}",
        "tag": data.tag or "",
        "mend": data.mend,
        "login": "" if data.pull else data.login,
        "here": ctx.host.name if data.pull else "",
        "home": home,
        "configuration": configuration,
        "age_key": AGE_KEY if data.age_key else "",
    }
    return render("reconciler/slipway-reconcile.j2", **{name: shlex.quote(value) for name, value in words.items()})


def service(data: Reconciler, ctx: Context) -> str:
    """The unit: one run, with no more than it needs."""
    writes = [quoted(path) for path in (HOME, ctx.reconcile.metrics, ctx.reconcile.reports) if path]
    environment = [quoted(f"{name}={value}") for name, value in sorted(data.environment.items())]
    return render("reconciler/slipway-reconcile.service.j2", data=data, account=account_of(data), program=PROGRAM,
                  writes=writes, environment=environment)  # fmt: skip


def timer(data: Reconciler, ctx: Context) -> str:
    # Hosts that fetch for themselves are spread out; half of the time, so that the alert on silence has its own.
    delay = ctx.reconcile.every // 2 if data.pull else data.random_delay
    return render("reconciler/slipway-reconcile.timer.j2", every=ctx.reconcile.every, delay=delay)


def quoted(value: str) -> str:
    """As systemd reads it: one word, with nothing to be expanded in it."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'
