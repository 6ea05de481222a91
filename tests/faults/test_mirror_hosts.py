"""A mirror of our own on a real host: nothing unsigned is installed, and what is wrong with it is told."""

from __future__ import annotations

import pytest

from slipway.lab.lab import Lab
from slipway.ops import packages
from tests.faults.one_host import HOST, shell
from tests.roles.convergence import Outcome, converge

pytestmark = pytest.mark.hosts

MIRROR = r"""
set -eu; mkdir -p /srv/mirror /srv/keys; cd /srv
command -v gpg > /dev/null || {
  apt-get update -q; apt-get install -qy --no-install-recommends gpg gpg-agent
} > /dev/null
rm -rf odd mirror/*; mkdir -p odd/DEBIAN odd/usr/share/odd; echo "$1" > odd/usr/share/odd/version
printf 'Package: odd-tool\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' "$1" \
  > odd/DEBIAN/control
dpkg-deb --build odd mirror/odd-tool.deb > /dev/null
size() { stat -c %s "$1"; }; sum() { sha256sum "$1" | cut -d' ' -f1; }
cd mirror
{ cat ../odd/DEBIAN/control; printf 'Filename: ./odd-tool.deb\nSize: %s\nSHA256: %s\n\n' "$(size odd-tool.deb)" \
  "$(sum odd-tool.deb)"; } > Packages
printf 'Origin: odd\nSuite: odd\nDate: %s\nSHA256:\n %s %s Packages\n' "$(date -Ru)" "$(sum Packages)" \
  "$(size Packages)" > Release
export GNUPGHOME=/srv/keys; chmod 700 /srv/keys
[ -e /srv/keys/odd.gpg ] || {
  gpg --batch --quiet --passphrase '' --quick-gen-key odd@example.org ed25519 sign never
  gpg --export > /srv/keys/odd.gpg; }
rm -f InRelease; gpg --batch --quiet --clearsign --output InRelease Release
chmod -R a+rX /srv/mirror; install -D -m 644 /srv/keys/odd.gpg /etc/apt/keyrings/odd.gpg
echo 'deb [signed-by=/etc/apt/keyrings/odd.gpg] file:/srv/mirror ./' > /etc/apt/sources.list.d/odd.list
dpkg -P odd-tool > /dev/null 2>&1 || true
# Lists that were signed before would do as well: what they name is what was signed.
rm -f /var/lib/slipway/package-lists /var/lib/apt/lists/*mirror*
"""
"""A signed archive with one package in the version that is asked for."""


@pytest.fixture(autouse=True)
def mirror(lab: Lab) -> None:
    shell(lab, MIRROR, "1.0")


def install(lab: Lab, pattern: str = "*") -> Outcome:
    wanted = {"odd-tool": pattern}
    return converge(lab, [HOST], lambda name: packages.installed(name="Install", names=["odd-tool"], versions=wanted))[
        HOST
    ]


def version(lab: Lab) -> str:
    return shell(lab, "cat /usr/share/odd/version 2>/dev/null || true")


def test_a_signed_package_is_installed(lab: Lab) -> None:
    """So that what follows is refused for what is wrong with it."""
    assert install(lab).error == ""
    assert version(lab) == "1.0"


WRONG = {
    "nothing is signed": ("rm /srv/mirror/InRelease", "is not signed"),
    "the signature is of something else": ("sed -i 's/^Suite: odd/Suite: evil/' /srv/mirror/InRelease", "odd"),
    "signed by a stranger": (
        "export GNUPGHOME=$(mktemp -d); gpg --batch --quiet --passphrase '' --quick-gen-key e@example.org ed25519 sign "
        "never; cd /srv/mirror; rm InRelease; gpg --batch --quiet --clearsign --output InRelease Release",
        "odd",
    ),
    "the package is another one": ("echo x >> /srv/mirror/odd-tool.deb", "odd-tool"),
    "the package is gone": ("rm /srv/mirror/odd-tool.deb", "odd-tool"),
    "nobody is there": (
        "sed -i s,file:/srv/mirror,http://127.0.0.1:9/mirror, /etc/apt/sources.list.d/odd.list",
        "127.0.0.1:9",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_as_it_was_signed_is_not_installed(lab: Lab, what: str) -> None:
    """apt's own words are in the error; nothing of the package is on the host."""
    damage, told = WRONG[what]
    shell(lab, damage)
    outcome = install(lab)
    assert outcome.error != ""
    assert told in outcome.error, outcome.error
    assert version(lab) == ""


def test_a_version_that_is_gone_is_told_with_the_one_there_is(lab: Lab) -> None:
    """The package, what was asked for, and what could be had."""
    assert "odd-tool: no version 9*; there are: 1.0" in install(lab, "9*").error
    assert version(lab) == ""
