"""secrets init, recipients: an encrypted source, and who can read it."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click

from slipway.engine.secret_source import Source, needed, source_of
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, did_you_mean
from slipway.secrets import age
from slipway.secrets.age import Recipient
from slipway.secrets.sources import kind_of
from slipway.secrets.store import Store, store_of, write_whole

FIRST_LINES = "# One secret a line, `name: value`. Change it by ./slipway secrets set | edit | rotate.\n"
LIST_LINES = "# Who can read the file beside this one: an age or SSH public key a line, and whose it is.\n"


@click.command()
@click.argument("inventory")
def init(inventory: str) -> None:
    """Make a key for yourself where you have none, and an encrypted file of secrets that you can read."""
    with truthful():
        source = source_of(inventory)
        spec = source.spec if source.spec.startswith("age:") else f"age:secrets/{source.path.stem}.age"
        with source.refusing():
            store = store_of(spec, project_root())
            _refuse_existing(store)
            public = _own_public_key()
            _begin(store, public)
    click.echo(f"{store.name} is made, for you alone as yet.")
    if source.spec != spec:
        folder = f"group_data/{source.path.stem}.py"
        click.echo(f'Name it in {folder}:  secrets = "{spec}"')
        if source.spec:
            click.echo(f"Then bring over what {kind_of(source.spec)[0]}: has: ./slipway secrets edit {inventory}")
    click.echo(f"Somebody else:  ./slipway secrets recipients add {inventory} PUBLIC-KEY")
    click.echo(f"Commit {store.name} and {store.name}.recipients; your key stays with you: {age.own_key()}")


def _refuse_existing(store: Store) -> None:
    if store.path.exists():
        hint = "change it by ./slipway secrets set | edit | recipients"
        raise BadInput([Problem(store.name, "is there already", hint)])


def _own_public_key() -> str:
    """The public half of this person's key, which is made where there is none."""
    if known := age.public_keys():
        return known[0]
    text, public = age.new_key()
    age.own_key().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(age.own_key(), text.encode(), 0o600)
    click.echo(f"Your key is new: {age.own_key()}. Keep a copy where you keep passwords: without it nothing opens.")
    return public


def _begin(store: Store, public: str) -> None:
    store.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    people = age.recipients_file(store.path)
    if not people.exists():
        write_whole(people, f"{LIST_LINES}{public}  # {_who()}\n".encode(), 0o644)
    store.replace("", FIRST_LINES)


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"{os.getuid()}@{socket.gethostname()}"


@click.group()
def recipients() -> None:
    """Who can read the encrypted source of an inventory."""


def _encrypted(inventory: str) -> tuple[Source, Store]:
    source = needed(source_of(inventory))
    store = source.store()
    if not store.is_encrypted:
        hint = f"./slipway secrets init {inventory}"
        raise BadInput([Problem(source.place, "the source is not encrypted: whoever has the file can read it", hint)])
    return source, store


@recipients.command("list")
@click.argument("inventory")
def list_(inventory: str) -> None:
    """Each key that the file is encrypted for, and whose it is."""
    with truthful():
        source, store = _encrypted(inventory)
        with source.refusing():
            found = age.listed(store.path)
    click.echo("\n".join(each.line for each in found) or "nobody")


@recipients.command()
@click.argument("inventory")
@click.argument("key", nargs=-1, required=True)
def add(inventory: str, key: tuple[str, ...]) -> None:
    """Let KEY read the secrets from now on: age1..., the line of an SSH public key, or the path of its .pub file."""
    with truthful():
        source, store = _encrypted(inventory)
        new = _recipient(" ".join(key))
        with source.refusing():
            known = age.listed(store.path)
            is_new = all(each.public != new.public for each in known)
            # Encrypted anew even so: a run that died in between is finished by doing it again.
            _let_in(store, [*known, new] if is_new else known)
    click.echo(f"{store.name} can {'now ' if is_new else ''}be read by {new.told()}; commit it and its list.")


@recipients.command()
@click.argument("inventory")
@click.argument("key", nargs=-1, required=True)
def remove(inventory: str, key: tuple[str, ...]) -> None:
    """Encrypt for all but KEY: a public key, its beginning, or the comment that says whose it is."""
    wanted = " ".join(key)
    with truthful():
        source, store = _encrypted(inventory)
        with source.refusing():
            known = age.listed(store.path)
            gone = [each for each in known if wanted in (each.line, each.public, each.comment)]
            gone = gone or [each for each in known if each.public.startswith(wanted) and len(wanted) > _SHORTEST]
            if len(gone) != 1:
                hint = did_you_mean(wanted, [each.comment or each.public for each in known])
                what = f"{wanted[:60]!r} is {'more than one recipient' if gone else 'no recipient'}"
                raise BadInput([Problem(f"{store.name}.recipients", what, hint)])
            _let_in(store, [each for each in known if each is not gone[0]])
    click.echo(f"{store.name} is no longer encrypted for {gone[0].told()}; commit it and its list.")
    click.echo(f"What was in it they may have kept: ./slipway secrets rotate {inventory} NAME, for each.")


_SHORTEST = 8
"""Characters of a key that are surely meant as its beginning."""


def _recipient(text: str) -> Recipient:
    line = text
    if not text.startswith(("age1", "ssh-")) and Path(text).expanduser().is_file():
        line = Path(text).expanduser().read_text(encoding="utf-8", errors="replace").strip()
    try:
        return age.recipient(line)
    except ValueError as error:
        raise BadInput([Problem("recipient", str(error), "ask them for ~/.ssh/id_ed25519.pub")]) from None


def _let_in(store: Store, people: Sequence[Recipient]) -> None:
    """Encrypts for these people. The list goes first: whoever writes next does it for whom it names."""
    text, file = store.text(), age.recipients_file(store.path)
    before = file.read_bytes()
    write_whole(file, _list_of(people, before.decode("utf-8-sig")).encode(), 0o644)
    try:
        store.replace(text, text)
    except BaseException:
        write_whole(file, before, 0o644)
        raise


def _list_of(people: Sequence[Recipient], before: str) -> str:
    """The list with a line for each of them; lines that say something else stay."""
    wanted = {each.line for each in people}
    stay = [line for line in before.splitlines() if " ".join(line.split()) in wanted or _says_nobody(line)]
    known = {" ".join(line.split()) for line in stay}
    return "".join(f"{line}\n" for line in [*stay, *(each.line for each in people if each.line not in known)])


def _says_nobody(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
