"""Hostile strings and hostile answers on a real host: nothing runs there or here, and what is in force is literal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slipway.lab.lab import Lab
from slipway.problems import BadInput
from slipway.role import Role
from tests.faults.hostile import Place
from tests.faults.one_host import HOST, bring, shell
from tests.faults.test_hostile_data import PLACES, ROLES, harmless
from tests.project import Project, new_project

pytestmark = pytest.mark.hosts

PWNED = "/tmp/slipway-pwned"


@pytest.fixture(autouse=True)
def nothing_ran(lab: Lab) -> Iterator[None]:
    """Before and after each test nobody has made the file, neither on the host nor on this machine."""
    assert traces(lab) == ""
    yield
    assert traces(lab) == ""


def traces(lab: Lab) -> str:
    here = " ".join(str(path) for path in Path("/tmp").glob("slipway-pwned*"))
    return (
        here
        + lab.exec(
            HOST,
            ["sh", "-c", "ls -d /tmp/slipway-pwned* /tmp/systemd-private-*/tmp/slipway-pwned* 2>/dev/null || true"],
        ).stdout
    )


# --- every field that takes any text

TRIALS = (
    f"$(touch {PWNED})",
    f"; touch {PWNED};",
    f"`touch {PWNED}`",
    f"'; COPY (SELECT 1) TO PROGRAM 'touch {PWNED}'; --",
    f'"; touch {PWNED}; "',
    f"| touch {PWNED} #",
)
"""Of these one is put into a field, each field another."""


def free_places() -> Iterator[tuple[str, Place, str]]:
    """Role, place and a hostile value that validation takes there."""
    for role, found in PLACES.items():
        for number, place in enumerate(found):
            good = str(harmless(role, place)[0])
            turned = [*TRIALS[number % len(TRIALS) :], *TRIALS[: number % len(TRIALS)]]
            value = next((v for bad in turned for v in (bad, good + bad) if is_taken(ROLES[role], place, v)), None)
            if value is not None:
                yield role, place, value


def is_taken(role: Role, place: Place, value: str) -> bool:
    try:
        role.data.model_validate(place.data(value))
    except ValidationError:
        return False
    return True


FREE = list(free_places())


@pytest.mark.sample("hostile places", 3)
@pytest.mark.parametrize(("role", "place", "value"), FREE, ids=[f"{role}.{place.name}" for role, place, _ in FREE])
def test_a_hostile_value_of_any_field_runs_nothing(lab: Lab, role: str, place: Place, value: str) -> None:
    """The role is brought to the host with it: its programs take it or refuse it in their own words; nothing runs."""
    try:
        data = place.data(value)
        if data.get("listen") == ["10.0.0.11"]:
            data["listen"] = [lab.address(HOST)]  # the one that stands beside in the table is nobody's here
        outcome = bring(lab, ROLES[role], data)
    except BadInput:
        return
    assert "Traceback" not in outcome.error
    assert not re.search(r"unexpected \w+(Error|Exception)", outcome.error), outcome.error
    print(f"{role}.{place.name} = {value!r}: {outcome.error or 'taken'}")


# --- what is in force

ODD = f"a'b\"c $(touch {PWNED}-1) `touch {PWNED}-2` ; touch {PWNED}-3 {{{{ 7*7 }}}} \\ %s é"


def test_an_account_has_its_name_literally(lab: Lab) -> None:
    """passwd's comment, a key's comment, and a rule of sudo."""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqGqUGW9HFHeLEpMjPbZFDBEpPEuRzFGpxQ7QyJIdQw"
    user = {"name": "ada", "comment": ODD.replace(":", ""), "authorized_keys": [f"{key} {ODD}"]}
    assert bring(lab, ROLES["base"], {"users": [user]}).error == ""
    assert shell(lab, "getent passwd ada | cut -d: -f5") == ODD
    assert shell(lab, "tail -n 1 /home/ada/.ssh/authorized_keys") == f"{key} {ODD}"
    assert bring(lab, ROLES["base"], {"users": [user]}).is_unchanged


def test_names_in_a_database_are_literal(lab: Lab) -> None:
    """Roles, databases, schemas, settings: their names and values are what was written."""
    odd = ODD[:60]
    data = {
        "roles": [{"name": odd, "settings": {"application_name": ODD}}],
        "databases": [{"name": odd, "owner": odd, "schemas": [{"name": odd}],
                       "settings": {"search_path": '"$user", "a; b", Public'}}],
        "grants": [{"role": odd, "database": odd, "on": "schema", "in_schema": odd, "privileges": ["USAGE"]}],
        "settings": {"event_source": ODD, "cluster_name": "x'y\\z $(id)"},
    }  # fmt: skip
    assert bring(lab, ROLES["postgres"], data).error == ""
    ask = 'runuser -u postgres -- env PGDATABASE="$1" psql -XAtqc "$2"'
    assert shell(lab, ask, odd, "SELECT current_database() || '|' || pg_get_userbyid(datdba) FROM pg_database "
                               "WHERE datname = current_database()") == f"{odd}|{odd}"  # fmt: skip
    assert odd in shell(lab, ask, odd, "SELECT nspname FROM pg_namespace").splitlines()
    assert shell(lab, ask, odd, "SHOW cluster_name") == "x'y\\z $(id)"
    assert f"application_name={ODD}" in shell(lab, ask, odd, "SELECT unnest(setconfig) FROM pg_db_role_setting")
    assert bring(lab, ROLES["postgres"], data).is_unchanged


def test_a_header_is_sent_literally(lab: Lab) -> None:
    """Quotes, braces, semicolons and backslashes of a header's value are the client's to read."""
    value = f"x; }} location / {{ return 200; }} \"'`touch {PWNED}-4` \\ {{{{ 7*7 }}}}"
    data = {
        "self_signed": True, "security_headers": {"X-Odd": value}, "listen": [lab.address(HOST)], "https_port": None,
        "extra_sites": [{"name": "odd", "hosts": ["odd.test"], "routes": []}],
    }  # fmt: skip
    assert bring(lab, ROLES["nginx"], data).error == ""
    got = shell(lab, 'curl -s -D - -o /dev/null -H "Host: odd.test" "http://$1/"', lab.address(HOST))
    assert f"X-Odd: {value}" in got.replace("\r", "").splitlines()
    assert bring(lab, ROLES["nginx"], data).is_unchanged


# --- a host that lies

PROGRAMS = ("dpkg-query", "dpkg", "systemctl", "getent", "nproc", "systemd-detect-virt", "docker", "psql", "redis-cli",
            "redis-server", "stat", "sha256sum", "readlink", "date", "id", "curl", "ss", "find", "ls")  # fmt: skip
"""What facts ask, found first in root's PATH."""

PAYLOADS = {
    "escapes": r"printf '\033[2J\033]0;owned\007\033[31mred\r\b\b\302\233 \342\200\256evil\n'",
    "template": f"echo \"{{{{ cycler.__init__.__globals__.os.popen('touch {PWNED}-t') }}}} {{% for %}}\"",
    "shell": f"echo '$(touch {PWNED}-s) `touch {PWNED}-s`; touch {PWNED}-s'",
    "five megabytes": "head -c 5000000 /dev/zero | tr '\\0' A",
    "many lines": "yes 'a|b|c' | head -n 50000",
    "wrong JSON": 'echo \'{"name": [1, {"id": null}]} [[[\'',
    "not text": r"printf '\377\376\000\200\n'",
    "nothing, and fails": "exit 3",
}

DEPLOY = """
from roles import base, docker, nginx, postgres, redis
from slipway.deploy import converge

converge("It", {"web": base})
converge("Docker", {"web": docker})
converge("Edges", {"web": nginx})
converge("Data", {"web": postgres})
converge("Cache", {"web": redis})
"""


@pytest.fixture
def project(tmp_path: Path, lab: Lab) -> Project:
    made = new_project(tmp_path, lab, HOST)
    for name in ("roles", "templates"):
        (tmp_path / name).symlink_to(Path(__file__).parents[2] / name)
    made.write("deploy.py", DEPLOY)
    made.write("group_data/web.py", "nginx = {'self_signed': True}\nredis = {'protected_mode': False}\n")
    return made


COMMANDS = [("plan",), ("deploy", "--json"), ("status",), ("history",), ("doctor",), ("audit",)]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_host_that_lies_is_told_of_and_steers_nothing(lab: Lab, project: Project, payload: str) -> None:
    """Whatever its programs print: an exit code that tells the truth, no traceback, no control character, no flood."""
    fakes = " ".join(PROGRAMS)
    fake = 'cd /usr/local/sbin && for p in $1; do printf "#!/bin/sh\\n%s\\n" "$2" > "$p"; chmod 755 "$p"; done'
    shell(lab, fake, fakes, PAYLOADS[payload])
    try:
        for command in COMMANDS:
            check(project.slipway(*command), command)
        check(project.pyinfra("-y", "-vvv", "deploy.py"), ("pyinfra", "-vvv"), longest=20_000_000)
    finally:
        shell(lab, "cd /usr/local/sbin && rm -f -- $1", fakes)


def check(done: Any, command: tuple[str, ...], longest: int = 500_000) -> None:
    told = done.stdout + done.stderr
    assert "Traceback" not in told, told[-3000:]
    assert done.returncode in (0, 1, 3), (command, done.returncode, told[-2000:])
    odd = set(re.findall(r"[^\n\t -~\u00a0-\uffff\U00010000-\U0010ffff]", told)) | ({"\u202e"} & set(told))
    if command[0] == "pyinfra":
        told = re.sub(r"\x1b\[[0-9;]*m", "", told)  # pyinfra's own colours
        odd = set(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", told)) - {"\r"}
    assert odd == set(), (command, sorted(odd))
    assert len(told) < longest, f"{command}: {len(told)} characters"
