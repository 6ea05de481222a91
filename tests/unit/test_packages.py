"""Packages: what dpkg says is understood, and what apt would misunderstand never reaches it."""

from __future__ import annotations

import subprocess

import pytest

from slipway.facts.packages import InterruptedFact, PackagesFact, PackageState, is_package_name
from slipway.ops import packages_script


@pytest.mark.parametrize("name", ["nginx-light", "libstdc++6", "g++", "docker.io", "libc6:amd64", "0ad"])
def test_names_that_debian_allows_are_taken(name: str) -> None:
    """A real package's name is taken as it is."""
    assert is_package_name(name)


@pytest.mark.parametrize(
    "name", ["nginx-", "-y", "--purge", "nginx;reboot", "$(id)", "a b", "", "Nginx", "ngin*", "x\n", "nginx=1", "é"]
)
def test_names_that_apt_would_read_otherwise_are_refused(name: str) -> None:
    """An option, a removal (`nginx-`), a pattern or a shell word is no package name."""
    assert not is_package_name(name)


def test_states_are_read_as_dpkg_has_them() -> None:
    """Installed, held, half configured, removed with its configuration kept, and unknown are told apart."""
    lines = [
        "curl\tcurl:amd64\tinstall\tinstalled\t8.14.1-2",
        "docker.io\tdocker.io:amd64\thold\tinstalled\t26.1.5+dfsg1-9",
        "redis-server\tredis-server:amd64\tinstall\thalf-configured\t5:8.0.2-3",
        "nginx\tnginx:all\tdeinstall\tconfig-files\t1.26.3-3",
    ]
    found = PackagesFact().process(lines)
    assert found["curl"] == PackageState("installed", "8.14.1-2", is_held=False)
    assert found["docker.io"].is_held
    assert not found["redis-server"].is_installed
    assert not found["redis-server"].is_gone
    assert found["nginx"].is_gone
    assert "vim" not in found


def test_the_installed_architecture_answers_to_the_bare_name() -> None:
    """Of two architectures of a package the one that is installed counts; each is found by its full name."""
    found = PackagesFact().process(
        ["libc6\tlibc6:amd64\tinstall\tinstalled\t2.41-12", "libc6\tlibc6:i386\tdeinstall\tconfig-files\t2.36-9"]
    )
    assert found["libc6"].is_installed
    assert found["libc6:i386"].is_gone


@pytest.mark.parametrize(
    ("pattern", "fits"), [("*", True), ("20.10*", True), ("20.10.24+dfsg1-1", True), ("20.1", False), ("26*", False)]
)
def test_a_version_pattern_is_matched_against_the_whole_version(pattern: str, fits: bool) -> None:
    """`20.10*` fits 20.10.24, `20.1` does not."""
    assert PackageState("installed", "20.10.24+dfsg1-1").has_version(pattern) is fits


def test_nothing_left_by_an_interruption_is_an_empty_answer() -> None:
    """No output means that all is in order."""
    assert InterruptedFact().process([]) == ()


@pytest.mark.parametrize("name", ["INSTALL", "REMOVE", "REPAIR", "HOLD"])
def test_scripts_are_shell(name: str) -> None:
    """Each script parses as POSIX shell."""
    text = getattr(packages_script, name)
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False).stderr == ""
