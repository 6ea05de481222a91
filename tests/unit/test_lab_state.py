"""What a lab keeps on the controller: keys, secrets, certificates."""

from __future__ import annotations

import stat
import subprocess
import sys

import paramiko
import pytest
import yaml

from slipway.lab.hosts import HOSTS
from slipway.lab.keys import ensure_keys, host_key
from slipway.lab.layout import Layout
from slipway.lab.state import ensure_secrets, ensure_state, remove_state
from slipway.lab.tls import ensure_certificates


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A lab's state as `up` leaves it."""
    lab = Layout("lab", tmp_path_factory.mktemp("state") / "lab")
    _make(lab)
    return lab


def test_nobody_else_can_read_it(lab):
    """Every file is 0600, every directory 0700."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (lab.state, *lab.state.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_a_second_up_keeps_everything(lab):
    """Keys and passwords that hosts already have are not made anew."""
    before = {path: path.read_bytes() for path in lab.state.rglob("*") if path.is_file()}
    _make(lab)
    assert {path: path.read_bytes() for path in lab.state.rglob("*") if path.is_file()} == before


def test_secrets_are_long_url_safe_and_all_different(lab):
    """32 characters or more, and none that a connection string would have to escape."""
    secrets = yaml.safe_load(lab.secrets.read_text())
    assert set(secrets) == {"postgres_password", "redis_password", "session_key"}
    assert len(set(secrets.values())) == 3
    for value in secrets.values():
        assert len(value) >= 32
        assert value.replace("-", "").replace("_", "").isalnum()


def test_known_hosts_has_each_hosts_own_key(lab):
    """By name and by address; paramiko, which pyinfra connects with, reads it and the private keys."""
    known = paramiko.HostKeys(str(lab.known_hosts))
    for host in HOSTS:
        own = paramiko.Ed25519Key.from_private_key_file(str(host_key(lab, host.name)))
        assert known.check(host.name, own)
        assert known.check(lab.address(host.name), own)
    assert len({str(known.lookup(host.name)["ssh-ed25519"].asbytes()) for host in HOSTS}) == len(HOSTS)


def test_openssh_takes_the_configuration(lab):
    """For a host by name: its address, strict checking, the lab's key only, one shared connection."""
    words = subprocess.check_output(["ssh", "-G", "-F", lab.ssh_config, "worker2"], text=True).splitlines()
    seen = dict(line.split(" ", 1) for line in words)
    assert seen["hostname"] == "10.77.0.22"
    assert seen["user"] == "ops"
    assert seen["stricthostkeychecking"] == "true"
    assert seen["identityfile"] == str(lab.ssh_key)
    assert seen["userknownhostsfile"] == str(lab.known_hosts)
    assert seen["controlmaster"] == "auto"
    assert seen["controlpath"] == str(lab.state / "ssh-10.77.0.22")


def test_a_path_too_long_for_a_socket_does_without_sharing(tmp_path):
    """A project deep down in directories still connects."""
    lab = Layout("lab", tmp_path / ("x" * 90))
    _make(lab)
    assert "ControlPath" not in lab.ssh_config.read_text()


@pytest.mark.parametrize("name", ["demo.lab.test", "other.lab.test"])
def test_the_certificate_is_good_for_the_labs_names(lab, name):
    """A client that trusts the lab's CA, and checks everything, finishes the handshake."""
    assert _handshake(lab, name) == name


def test_the_certificate_is_good_for_no_other_name(lab):
    """The same client refuses it for another name."""
    assert "Hostname mismatch" in _handshake(lab, "example.com")


def test_nothing_is_left_of_it(tmp_path):
    """`down` takes all of it away."""
    lab = Layout("lab", tmp_path / "lab")
    _make(lab)
    remove_state(lab)
    assert list(tmp_path.iterdir()) == []


def _make(lab):
    ensure_state(lab)
    ensure_keys(lab)
    ensure_secrets(lab)
    ensure_certificates(lab)


# In a process of its own: pyinfra's gevent patches ssl in this one, and its callback does not know MemoryBIO.
_HANDSHAKE = """
import ssl, sys
tls, name = sys.argv[1:]
trusting = ssl.create_default_context(cafile=f"{tls}/ca.crt")
trusting.verify_flags |= ssl.VERIFY_X509_STRICT
serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
serving.load_cert_chain(f"{tls}/server.crt", f"{tls}/server.key")
up, down, asked = ssl.MemoryBIO(), ssl.MemoryBIO(), []
serving.sni_callback = lambda sock, wanted, context: asked.append(wanted)
client, server = trusting.wrap_bio(down, up, server_hostname=name), serving.wrap_bio(up, down, server_side=True)
def step(side):
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
waiting = [client, server]
while waiting:
    waiting = [side for side in waiting if not step(side)]
print(asked[0])
"""


def _handshake(lab, name):
    """Client and server in memory: the name that the server was asked for, or why the client refused."""
    words = [sys.executable, "-c", _HANDSHAKE, str(lab.tls), name]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]
