"""An engine that cannot carry a lab is told in one line, with what to do; never a traceback."""

from __future__ import annotations

import os
import socket

import pytest
from click.testing import CliRunner

from slipway.cli.lab import lab
from slipway.lab.engine import Abilities, boot_environment, connect, host_config
from slipway.lab.images import BASE, HOST, ensure_base, tag_of
from slipway.problems import BadInput


@pytest.mark.parametrize("endpoint", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_no_engine_is_told_with_what_to_do(monkeypatch, endpoint):
    """Exit code 2, where it was looked for, and what to install."""
    monkeypatch.setenv("DOCKER_HOST", endpoint)
    told = CliRunner().invoke(lab, ["status"])
    assert told.exit_code == 2
    assert f"docker: no engine answers at {endpoint}" in told.output
    assert "apt-get install docker.io" in told.output
    assert "Traceback" not in told.output


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user to be refused")
def test_a_socket_of_somebody_else_is_told_with_what_to_do(monkeypatch, tmp_path_factory):
    """Permission denied is not "no engine": the hint is the group, not an installation."""
    place = tmp_path_factory.mktemp("socket") / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()
        place.chmod(0o600)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
        os.seteuid(65534)
        try:
            with pytest.raises(BadInput, match=r"permission denied(.|\n)*usermod -aG docker"):
                connect()
        finally:
            os.seteuid(0)


def test_an_unknown_host_and_a_lab_that_is_not_up_are_told():
    """`ssh` to a typo and `ssh` before `up`: exit code 2 and the next step."""
    typo = CliRunner().invoke(lab, ["ssh", "wrker1"])
    early = CliRunner().invoke(lab, ["ssh", "--name", "never-started", "worker1"])
    assert (typo.exit_code, early.exit_code) == (2, 2)
    assert "did you mean 'worker1'" in typo.output
    assert "slipway lab up" in early.output


def test_hosts_are_privileged_where_the_engine_allows_it():
    """A laptop's engine on cgroup v2: `--privileged`, and systemd is told nothing about cgroup v1."""
    able = Abilities(cgroup_version=2, privileged=True)
    assert host_config(able)["Privileged"] is True
    assert "SYSTEMD_PROC_CMDLINE" not in boot_environment(able)


def test_hosts_get_each_right_where_it_does_not():
    """An engine that is confined itself, on cgroup v1: every capability it may have, and systemd forced onto v1."""
    able = Abilities(cgroup_version=1, privileged=False)
    assert host_config(able._replace(can_drop=False))["CapDrop"] == []
    config = host_config(able)
    assert "Privileged" not in config
    assert (config["CapAdd"], config["CapDrop"]) == (["ALL"], ["SYS_RESOURCE"])
    assert (config["MaskedPaths"], config["ReadonlyPaths"]) == ([], [])
    assert "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1" in boot_environment(able)["SYSTEMD_PROC_CMDLINE"]


def test_a_changed_recipe_is_another_image(monkeypatch, tmp_path):
    """The tag is a hash of every file in the recipe: an old image is never taken for a new one."""
    from slipway.lab import images

    (tmp_path / "Dockerfile").write_text("FROM x\n")
    monkeypatch.setitem(images._RECIPES, HOST, tmp_path)
    before = tag_of(HOST, 13)
    (tmp_path / "boot").write_text("exec /sbin/init\n")
    assert tag_of(HOST, 13) != before
    assert tag_of(HOST, 12).removeprefix(f"{HOST}:12-") == tag_of(HOST, 13).removeprefix(f"{HOST}:13-")


def test_no_registry_and_no_mmdebstrap_names_the_package(monkeypatch):
    """Where Debian can be neither pulled nor bootstrapped, the packages to install are named."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="apt-get install mmdebstrap debian-archive-keyring"):
        ensure_base(_WithoutRegistry(), 13, say=lambda line: None)
    assert tag_of(BASE, 13) == "slipway-lab-base:13"


class _WithoutRegistry:
    """An engine that has no image and reaches no registry: nothing of a real one can be taken away for a test."""

    @property
    def images(self):
        return self

    def get(self, tag):
        from docker.errors import ImageNotFound

        raise ImageNotFound(tag)

    def pull(self, repository, tag):
        from docker.errors import APIError

        raise APIError("no such host")
