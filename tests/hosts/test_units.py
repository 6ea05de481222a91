"""Units on real hosts: drift is shown and mended, a failure says why, and what is owed is paid once."""

from __future__ import annotations

import pytest

from slipway.lab.lab import Lab
from tests.project import Project

pytestmark = pytest.mark.hosts

HOSTS = ("worker1", "worker2")
"""A Debian 13 and a Debian 12."""
UNITS = "/etc/systemd/system"
TRACE = "/srv/units-trace"


def on(lab: Lab, host: str, command: str) -> str:
    done = lab.exec(host, ["sh", "-c", command])
    assert done.code == 0, done.stderr
    return done.stdout


def states(lab: Lab, host: str, *units: str) -> list[str]:
    """`active enabled` of each unit, as systemd says it."""
    command = "for u in {}; do echo $(systemctl is-active $u) $(systemctl is-enabled $u 2>&1 | head -n 1); done"
    return on(lab, host, command.format(" ".join(f"{unit}.service" for unit in units))).splitlines()


def traced(lab: Lab, host: str) -> list[str]:
    return on(lab, host, f"cat {TRACE} 2>/dev/null || :").split()


def owed(lab: Lab, host: str) -> list[str]:
    return on(lab, host, "ls /var/lib/slipway/owed 2>/dev/null || :").split()


@pytest.fixture(autouse=True)
def no_units_of_ours(project: Project, bare_lab: Lab) -> None:
    project.inventory(web=list(HOSTS))
    for host in HOSTS:
        on(
            bare_lab,
            host,
            f"systemctl stop 'slip-*' 2>/dev/null; find {UNITS} -name 'slip-*' -prune -exec rm -rf {{}} +; "
            f"rm -rf {TRACE} /var/lib/slipway/owed /usr/local/sbin/systemctl; "
            "systemctl daemon-reload; systemctl reset-failed",
        )


SLEEPER = "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
STATIC = "[Service]\\nExecStart=/bin/sleep infinity\\n"


def test_every_kind_of_drift_is_shown_and_mended(project: Project, bare_lab: Lab) -> None:
    """Stopped, disabled, masked, running or enabled against our wish, static: one plan names them, one deploy mends."""
    wanted = {"up": "active enabled", "dis": "active enabled", "mask": "active enabled", "off": "inactive disabled",
              "still": "inactive enabled", "static": "active static"}  # fmt: skip
    names = [f"slip-{name}" for name in wanted]
    for host in HOSTS:
        for name in names:
            on(bare_lab, host, f"printf '{STATIC if name == 'slip-static' else SLEEPER}' > {UNITS}/{name}.service")
        on(
            bare_lab,
            host,
            "systemctl daemon-reload; systemctl enable -q slip-up slip-off slip-mask slip-still; "
            "systemctl start slip-dis slip-off slip-still; "
            f"mv {UNITS}/slip-mask.service /usr/lib/systemd/system/; "
            "systemctl daemon-reload; systemctl mask -q slip-mask",
        )
    project.write(
        "deploy.py",
        """
        from slipway.ops import units
        for name in ("up", "dis", "mask", "static"):
            units.unit(name="Run it", unit=f"slip-{name}.service")
        units.unit(name="Keep it off", unit="slip-off.service", running=False, enabled=False)
        units.unit(name="Start it at boot only", unit="slip-still.service", running=False)
        """,
    )
    try:
        plan = project.slipway("plan")
        assert plan.returncode == 3
        for line in (
            "slip-up.service: start",
            "slip-dis.service: enable",
            "slip-mask.service: unmask, enable, start",
            "slip-off.service: disable, stop",
            "slip-still.service: stop",
            "slip-static.service: start",
        ):
            assert plan.stdout.count(line) == len(HOSTS), plan.stdout
        assert project.slipway("deploy").returncode == 0
        assert [states(bare_lab, host, *names) for host in HOSTS] == [list(wanted.values())] * 2
        assert project.slipway("plan").returncode == 0
    finally:
        for host in HOSTS:
            on(bare_lab, host, "systemctl disable -q --now slip-mask; rm -f /usr/lib/systemd/system/slip-mask.service")


def test_a_unit_that_does_not_start_is_an_error_with_its_last_lines(project: Project, bare_lab: Lab) -> None:
    """Not "see systemctl status": what the program itself said stands in the error. An unknown unit is named."""
    unit = "[Service]\\nType=oneshot\\nExecStart=/bin/sh -c 'echo port 5432 is taken; exit 3'\\n"
    on(bare_lab, "worker1", f'printf "{unit}" > {UNITS}/slip-bad.service; systemctl daemon-reload')
    project.write(
        "deploy.py",
        "from slipway.ops import units\nunits.unit(name='Run it', unit='slip-bad.service', enabled=False)\n",
    )
    done = project.slipway("deploy")
    assert done.returncode == 1
    told = done.stderr[done.stderr.index("Stopped in") - 3000 :] if "Stopped in" in done.stderr else done.stderr
    assert "port 5432 is taken" in told
    assert "slip-bad.service not found" in told


def test_a_unit_between_two_crashes_is_not_taken_for_running(project: Project, bare_lab: Lab) -> None:
    """systemd calls a unit that waits for its next start "activating": the plan says that it does not run."""
    unit = "[Service]\\nExecStart=/bin/false\\nRestart=always\\nRestartSec=60\\n"
    on(bare_lab, "worker1", f"printf '{unit}' > {UNITS}/slip-loop.service; systemctl daemon-reload")
    on(
        bare_lab,
        "worker1",
        "systemctl start slip-loop; sleep 1; systemctl show -p ActiveState slip-loop | grep activating",
    )
    project.write("deploy.py", "from slipway.ops import units\nunits.unit(name='Run it', unit='slip-loop.service')\n")
    plan = project.slipway("plan", "--limit", "worker1")
    assert (plan.returncode, "slip-loop.service: start" in plan.stdout) == (3, True)


UNIT_FILE = """
    from pyinfra import host
    from slipway.ops import units
    units.unit_file(name="Write the unit", filename="slip-own.service", content='''[Service]
    Type=oneshot
    {line}
    ''')
"""


def test_a_unit_file_that_systemd_refuses_does_not_go_live(project: Project, bare_lab: Lab) -> None:
    """A mistyped setting or a program that is not there: the old unit stays, and systemd's words are in the error."""
    project.write("deploy.py", UNIT_FILE.format(line="ExecStart=/bin/true"))
    assert project.slipway("deploy").returncode == 0
    for line, why in (("ExecStrat=/bin/true", "ExecStrat"), ("ExecStart=/no/such/program", "/no/such/program")):
        project.write("deploy.py", UNIT_FILE.format(line=line))
        done = project.slipway("deploy")
        assert done.returncode == 1
        assert why in done.stderr and "its check refuses the new one" in done.stderr
    for host in HOSTS:
        assert "ExecStart=/bin/true" in on(bare_lab, host, f"cat {UNITS}/slip-own.service")
        assert on(bare_lab, host, "ls -A /tmp | grep '^tmp\\.' || :") == ""


def test_a_daemon_reload_that_did_not_happen_is_made_up_for(project: Project, bare_lab: Lab) -> None:
    """The run dies between the file and systemd reading it: the next finds the file right and still reloads."""
    for host in HOSTS:
        on(
            bare_lab,
            host,
            "printf '#!/bin/sh\\nexit 1\\n' > /usr/local/sbin/systemctl; chmod 755 /usr/local/sbin/systemctl",
        )
    project.write("deploy.py", UNIT_FILE.format(line="ExecStart=/bin/true"))
    assert project.slipway("deploy").returncode == 1
    for host in HOSTS:
        on(bare_lab, host, "rm /usr/local/sbin/systemctl")
        assert owed(bare_lab, host) == ["daemon-reload:slip-own.service"]
    plan = project.slipway("plan")
    assert (plan.returncode, plan.stdout.count("daemon-reload")) == (3, 2)
    assert project.slipway("deploy").returncode == 0
    for host in HOSTS:
        assert owed(bare_lab, host) == []
        assert on(bare_lab, host, "systemctl show -p LoadState slip-own.service") == "LoadState=loaded\n"
    assert project.slipway("plan").returncode == 0


def test_a_drop_in_is_in_force_and_its_restart_is_owed(project: Project, bare_lab: Lab) -> None:
    """Settings on top of a unit: systemd has them at once, the process by the restart that they owe."""
    for host in HOSTS:
        on(
            bare_lab,
            host,
            f"printf '{SLEEPER}' > {UNITS}/slip-up.service; systemctl daemon-reload; systemctl start slip-up",
        )
    project.write(
        "deploy.py",
        """
        from slipway.ops import dropins, units
        content = "[Service]\\nLimitNOFILE=4321\\n"
        units.drop_in(name="Set limits", unit="slip-up", content=content, owes=["restart:slip-up.service"])
        dropins.drop_in(name="Set more limits", unit="slip-up.service", content="[Service]\\nLimitCORE=1\\n")
        units.settle(name="Restart it", unit="slip-up.service", action="restart")
        """,
    )
    assert project.slipway("deploy").returncode == 0
    for host in HOSTS:
        limits = on(bare_lab, host, "cat /proc/$(systemctl show -P MainPID slip-up)/limits")
        assert "4321" in limits
        assert owed(bare_lab, host) == []
    assert project.slipway("plan").returncode == 0


RELOADS = f"""[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo started >> {TRACE}'
ExecReload=/bin/sh -c 'test -e {TRACE}.good || {{ echo line 7 is wrong; exit 1; }}; echo reloaded >> {TRACE}'
"""


def test_a_reload_that_failed_stays_owed_and_a_restart_pays_both(project: Project, bare_lab: Lab) -> None:
    """A failed reload says why and is tried again by the next run, once it works exactly once; a restart pays both."""
    project.write("reloads.service", RELOADS)
    for host in HOSTS:
        bare_lab.exec(host, ["sh", "-c", 'printf %s "$1" > "$2"', "x", RELOADS, f"{UNITS}/slip-reloads.service"])
        on(bare_lab, host, f"systemctl daemon-reload; systemctl start slip-reloads; rm -f {TRACE} {TRACE}.good")
        on(bare_lab, host, "mkdir -p /var/lib/slipway/owed; : > /var/lib/slipway/owed/reload:slip-reloads.service")
    project.write(
        "deploy.py",
        """
        from slipway.ops import units
        units.settle(name="Restart it", unit="slip-reloads.service", action="restart")
        units.settle(name="Reload it", unit="slip-reloads.service")
        """,
    )
    failed = project.slipway("deploy")
    assert failed.returncode == 1
    assert "line 7 is wrong" in failed.stderr
    for host in HOSTS:
        assert owed(bare_lab, host) == ["reload:slip-reloads.service"]
        on(bare_lab, host, f": > {TRACE}.good")
    for _ in range(2):
        assert project.slipway("deploy").returncode == 0
        assert [traced(bare_lab, host) for host in HOSTS] == [["reloaded"]] * 2
    for host in HOSTS:
        on(
            bare_lab,
            host,
            "cd /var/lib/slipway/owed; : > reload:slip-reloads.service; : > restart:slip-reloads.service",
        )
    assert project.slipway("deploy").returncode == 0
    assert [traced(bare_lab, host) for host in HOSTS] == [["reloaded", "started"]] * 2
    assert [owed(bare_lab, host) for host in HOSTS] == [[], []]
    assert project.slipway("plan").returncode == 0
