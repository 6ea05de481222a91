"""Encrypted secrets: opened by whoever is on the list, refused with a reason by everything else."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pyrage
import pytest

from slipway.secrets import SourceUnreadable, age, open_source
from slipway.secrets.store import Store, store_of
from tests.wrong_project import CANARY, wrong_project

TEXT = f"# ours\npostgres_password: {CANARY}-pg\nredis_password: {CANARY}-redis\nsession_key: {CANARY}-key\n"
NAME = "secrets/fleet.age"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home of their own, without keys."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv(age.KEY, raising=False)
    monkeypatch.delenv(age.KEY_FILE, raising=False)
    return folder


@pytest.fixture
def store(home: Path, tmp_path: Path) -> Store:
    """An encrypted file for this person, who has an age key."""
    text, public = age.new_key()
    age.own_key().parent.mkdir(parents=True)
    age.own_key().touch(0o600)
    age.own_key().write_text(text)
    (tmp_path / "secrets").mkdir()
    (tmp_path / f"{NAME}.recipients").write_text(f"# people\n{public}  # ada\n")
    store = store_of(f"age:{NAME}", tmp_path)
    store.replace("", TEXT)
    return store


def ssh_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """A key pair there; its public line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "grace@host", "-f", str(path)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path.with_suffix(".pub").read_text().strip()


def refused(root: Path, name: str = NAME) -> str:
    """What is said of a source that cannot be opened: nothing of what it holds."""
    with pytest.raises(SourceUnreadable) as error:
        open_source(f"age:{name}", root)
    told = f"{error.value.what}\n  HINT: {error.value.hint}"
    assert CANARY not in told + repr(error.value.__context__)
    assert error.value.hint
    return told


def test_a_whole_file_is_encrypted_and_read_again(store: Store, tmp_path: Path) -> None:
    """Names and values are in it for whoever has a key, and for nobody else; it is one armored file of age."""
    found = open_source(f"age:{NAME}", tmp_path)
    assert found.names == ("postgres_password", "redis_password", "session_key")
    assert found.get("redis_password").reveal() == f"{CANARY}-redis"
    written = store.path.read_bytes()
    assert written.startswith(age.ARMOR.encode())
    assert b"redis" not in written
    assert not [word for word in base64.b64decode(b"".join(written.splitlines()[1:-1])).split() if b"redis" in word]


def test_any_program_of_age_opens_it_and_writes_it(store: Store, tmp_path: Path) -> None:
    """It is the format itself: what another implementation wrote with the same list is read as well, armored or not."""
    identity = pyrage.x25519.Identity.from_str(age.own_key().read_text().splitlines()[1])
    assert pyrage.decrypt(store.path.read_bytes(), [identity]).decode() == TEXT
    for armored in (True, False):
        store.path.write_bytes(pyrage.encrypt(b"a: 'one'\n", [identity.to_public()], armored=armored))
        assert open_source(f"age:{NAME}", tmp_path).get("a").reveal() == "one"


@pytest.mark.parametrize("place", ["file", "variable", "home"])
def test_the_key_is_found_where_it_is_said_to_be(place: str, store: Store, tmp_path: Path, monkeypatch) -> None:
    """A file that a variable names, the variable itself (a scheduled run's), or this person's own key."""
    if place != "home":
        moved = age.own_key().rename(tmp_path / "key")
        monkeypatch.setenv(*((age.KEY_FILE, str(moved)) if place == "file" else (age.KEY, moved.read_text())))
    assert open_source(f"age:{NAME}", tmp_path).get("session_key").reveal() == f"{CANARY}-key"


def test_an_ssh_key_opens_it_too(store: Store, home: Path, tmp_path: Path, monkeypatch) -> None:
    """Several people, each with the key that they have; a file may be an SSH key as well."""
    public = ssh_key(home / ".ssh/id_ed25519")
    with Path(f"{store.path}.recipients").open("a") as file:
        file.write(public + "\n")
    store.edit({"more": "1"})
    age.own_key().unlink()
    assert open_source(f"age:{NAME}", tmp_path).get("more").reveal() == "1"
    monkeypatch.setenv(age.KEY_FILE, str((home / ".ssh/id_ed25519").rename(tmp_path / "elsewhere")))
    assert open_source(f"age:{NAME}", tmp_path).get("more").reveal() == "1"


REGIONS = ["armor", "header", "stanza", "mac", "nonce", "payload", "end"]


@pytest.mark.parametrize("region", REGIONS)
def test_a_flipped_byte_is_refused_wherever_it_is(region: str, store: Store, tmp_path: Path) -> None:
    """Every byte of a region, one at a time: refused, or still the very same text; never another one."""
    data = bytearray(store.path.read_bytes())
    refusals = 0
    for at in _bytes_of(region, bytes(data)):
        data[at] ^= 0x01
        store.path.write_bytes(bytes(data))
        try:
            assert store.text() == TEXT, f"byte {at}"
        except SourceUnreadable as error:
            refusals += 1
            assert CANARY not in str(error)
        data[at] ^= 0x01
    assert refusals > 0


def _bytes_of(region: str, data: bytes) -> range:
    """The bytes of the file that a region lies in; what is encrypted by position in the armor, 48 bytes to 64."""
    start = data.index(b"\n") + 1
    binary = base64.b64decode(b"".join(data.splitlines()[1:-1]))
    mac = binary.index(b"\n---")
    payload = binary.index(b"\n", mac + 4) + 1
    places = {
        "armor": (0, start), "header": (0, 21), "stanza": (22, mac), "mac": (mac + 1, payload),
        "nonce": (payload, payload + 16), "payload": (payload + 16, len(binary) - 1),
    }  # fmt: skip
    if region == "armor":
        return range(start)
    if region == "end":
        return range(data.index(b"-----END"), len(data))
    first, last = (start + at // 48 * 65 + at % 48 * 4 // 3 for at in places[region])
    return range(first, last, 7 if region == "payload" else 3)


def test_a_file_that_was_cut_is_refused(store: Store, tmp_path: Path) -> None:
    """At whatever line the copy ended."""
    lines = store.path.read_text().splitlines(keepends=True)
    for end in range(1, len(lines)):
        store.path.write_text("".join(lines[:end]))
        assert "was changed or cut" in refused(tmp_path)


def test_somebody_who_is_not_on_the_list_is_told_whom_to_ask(store: Store, home: Path, tmp_path: Path) -> None:
    """Which keys were tried, who can read it, and what they have to do."""
    age.own_key().write_text(age.new_key()[0])
    ssh_key(home / ".ssh/id_ed25519", passphrase="x")
    told = refused(tmp_path)
    assert "none of your keys opens it (~/.config/slipway/age.key; ~/.ssh/id_ed25519 cannot be used: " in told
    assert "it is for ada (age1" in told
    assert "secrets recipients add INVENTORY YOUR-PUBLIC-KEY" in told


def test_without_any_key_each_place_is_named(store: Store, tmp_path: Path) -> None:
    """So that nobody has to guess where one belongs."""
    age.own_key().unlink()
    told = refused(tmp_path)
    assert "there is no key to open it with (no ~/.config/slipway/age.key; no ~/.ssh/id_ed25519)" in told
    assert age.KEY_FILE in told


def test_a_key_that_others_can_read_is_refused(store: Store, tmp_path: Path) -> None:
    """It is as good as the secrets themselves."""
    age.own_key().chmod(0o640)
    assert "~/.config/slipway/age.key can be read by others (mode 0640)\n  HINT: chmod 600" in refused(tmp_path)


def _plain(path: Path) -> None:
    path.write_text(TEXT)


def _merge(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "<<<<<<< HEAD\n", *lines[1:]]))


# Made once: a passphrase is made a key of slowly on purpose.
BY_PASSPHRASE = """\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCA1ZS9VSlRjRHhQMXNiZ2F6
M0tmWnNnIDE5CmFpcElQTFU3WFJUZjlIb2hDczg3M3N6Ykoyayt3UlFvMDRsVWZT
NGFRUVUKLS0tIDJab1NLT2FQTkdlbHhiSFZKaE5VSHdJSTBQdHV6OTlCUjhabGVD
aEpUSncK7HT+QFlIFGG+QE86VcTFfRMpmK8OtwYW6o8a7H9c+8tvEwrKMTS9plM=
-----END AGE ENCRYPTED FILE-----
"""


def _passphrase(path: Path) -> None:
    path.write_text(BY_PASSPHRASE)


def _binary(path: Path) -> None:
    path.write_bytes(pyrage.encrypt(b"\xff\xfe", [pyrage.x25519.Recipient.from_str(age.public_keys()[0])]))


def _list(path: Path) -> None:
    identity = pyrage.x25519.Recipient.from_str(age.public_keys()[0])
    path.write_bytes(pyrage.encrypt(f"- {CANARY}\n".encode(), [identity], armored=True))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, "does not exist\n  HINT: make it: ./slipway secrets init"),
        (_plain, "is not encrypted by age\n  HINT: do not commit it; encrypt it: age -a -R fleet.age.recipients"),
        (_merge, f"{NAME}:2 is in the middle of a merge\n  HINT: encrypted lines cannot be merged"),
        (lambda path: path.write_bytes(b""), "is not encrypted by age"),
        (_passphrase, "none of your keys opens it"),
        (_binary, "holds no UTF-8 text"),
        (_list, "must hold `name: value` lines"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(damage, says: str, store: Store, tmp_path: Path) -> None:
    """Missing, in plain text, in the middle of a merge, empty, closed by a passphrase, no text, no names."""
    damage(store.path)
    assert says in refused(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (age.KEY_FILE, "/nowhere/key", "/nowhere/key does not exist"),
        (age.KEY, "nonsense", "SLIPWAY_AGE_KEY holds no key of age"),
        (age.KEY, "# AGE-SECRET-KEY-1\n", "SLIPWAY_AGE_KEY holds no key of age"),
        (age.KEY, "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "SLIPWAY_AGE_KEY holds no key of age"),
    ],
)
def test_a_named_key_of_no_use_is_told(
    variable: str, value: str, says: str, store: Store, tmp_path, monkeypatch
) -> None:
    """What was named on purpose is not passed over for another key."""
    monkeypatch.setenv(variable, value)
    assert says in refused(tmp_path)


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p  # ada", True),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIfTNXzK9UxvuVD2GyXoD3Xuy5iEgwSiqLJ5NyIVPCLE ada@host", True),
        ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q", False),
        ("ssh-dss AAAA", False), ("", False), ("AGE-SECRET-KEY-1QQQ", False), ("-", False), ("é", False),
    ],
)  # fmt: skip
def test_a_recipient_is_a_public_key(line: str, is_one: bool) -> None:
    """Anything else is refused without being shown: it might be a key that is nobody else's to see."""
    if is_one:
        assert "ada" in age.recipient(line).told()
        return
    with pytest.raises(ValueError, match="is no public key for age"):
        age.recipient(line)


def test_nobody_closes_a_file_to_themselves(store: Store, tmp_path: Path) -> None:
    """A list without this person's own key: nothing is written, and why."""
    before = store.path.read_bytes()
    Path(f"{store.path}.recipients").write_text(age.new_key()[1] + "\n")
    with pytest.raises(SourceUnreadable, match="would be closed to you"):
        store.edit({"a": "b"})
    assert store.path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "does not exist"), ("# nobody\n", "names nobody"), ("age1\n", r"fleet.age.recipients:1 is no public key")],
)
def test_a_list_that_is_wrong_is_told_before_anything_is_written(content, says: str, store: Store) -> None:
    """Reading needs no list; writing does."""
    before, recipients = store.path.read_bytes(), Path(f"{store.path}.recipients")
    recipients.unlink() if content is None else recipients.write_text(content)
    assert store.text() == TEXT
    with pytest.raises(SourceUnreadable, match=says):
        store.edit({"a": "b"})
    assert store.path.read_bytes() == before


def test_validation_ends_with_2_and_its_reason(store: Store, tmp_path: Path, monkeypatch) -> None:
    """As from a shell: a valid project is valid with its secrets encrypted; one flipped byte and nothing is touched."""
    project = wrong_project(tmp_path)
    project.edit("group_data/fleet.py", "file:secrets.yaml", f"age:{NAME}")
    monkeypatch.chdir(tmp_path)
    assert project.problems() == []
    data = bytearray(store.path.read_bytes())
    data[-80] ^= 1
    store.path.write_bytes(bytes(data))
    done = project.run("-m", "slipway", "deploy", "fleet")
    assert done.returncode == 2
    assert f"group_data/fleet.py: secrets: {NAME} was changed or cut since it was encrypted" in done.stderr
    assert "Traceback" not in done.stderr and CANARY not in done.stderr
    assert "Connected" not in done.stderr + done.stdout


def test_what_is_decrypted_is_written_nowhere(store: Store, home: Path, tmp_path: Path) -> None:
    """After reading and writing, no file beside the list and the encrypted one has come to be."""
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    open_source(f"age:{NAME}", tmp_path).get("session_key")
    store.edit({"a": "b"})
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == found
    assert not [name for name in os.listdir("/dev/shm") if "slipway" in name]  # noqa: PTH208 - names are enough
