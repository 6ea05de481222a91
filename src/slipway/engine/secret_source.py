"""The secret source of an inventory, and who asks it for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway.engine.declare import declare
from slipway.engine.fleet_wide import Shared
from slipway.engine.inventory import find_inventory, read_inventory
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, Problems
from slipway.secrets import Secrets, SourceUnreadable, open_source
from slipway.secrets.store import Store, store_of
from slipway.secrets.versions import Phase, is_reserved, phase_of, split


@dataclass(frozen=True)
class Source:
    """Where an inventory's secrets are read."""

    inventory: str
    """As it was named on the command line."""
    spec: str
    """What `secrets` in group_data says; empty where nobody says it."""
    place: str
    """The files that say it."""

    @property
    def path(self) -> Path:
        return find_inventory(self.inventory)

    def opened(self) -> Secrets:
        """Raises BadInput."""
        with self.refusing():
            return open_source(self.spec, project_root())

    def store(self) -> Store:
        """Its file, to be written. Raises BadInput where it is none."""
        with self.refusing():
            return store_of(self.spec, project_root())

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Makes of a source that is of no use the problem that it is."""
        try:
            yield
        except SourceUnreadable as error:
            raise BadInput([Problem(self.place, error.what, error.hint)]) from None


def source_of(inventory: str) -> Source:
    """The source of an inventory; connects nowhere. Raises BadInput."""
    path, problems = find_inventory(inventory), Problems()
    shared = Shared(read_inventory(path), path, problems)
    spec = shared.text("secrets") or ""
    problems.raise_if_any()
    return Source(inventory, spec, shared.place("secrets"))


def needed(source: Source) -> Source:
    """The same, where there is one. Raises BadInput."""
    if not source.spec:
        hint = f"./slipway secrets init {source.inventory} makes an encrypted one, and says how to name it"
        raise BadInput([Problem("secrets", f"no group_data of {source.inventory} says where they are read", hint)])
    return source


@dataclass(frozen=True)
class Listed:
    """One secret, as `slipway secrets list` shows it."""

    name: str
    fingerprint: str
    """Empty where there is no value worth the name."""
    needed_by: tuple[str, ...]
    note: str
    is_wrong: bool


def listed(source: Source) -> tuple[list[Listed], str]:
    """Every secret that there is or that is asked for; and why that may be less than all, where something is wrong."""
    secrets, doubt = source.opened(), ""
    try:
        declare(source.path, [project_root() / "deploy.py"], secrets=secrets)
    except BadInput as error:
        others = [each for each in error.problems if not each.where.startswith("secrets (")]
        doubt = str(others[0].where) if others else ""
    users: dict[str, dict[str, None]] = {}
    for name, asking in secrets.asked.items():
        users.setdefault(split(name)[0], {}).update(asking)
    names = sorted({*secrets.names, *users, *(split(each)[0] for each in secrets.entries)})
    return [_listed(name, secrets, tuple(users.get(name, ()))) for name in names], doubt


def _listed(name: str, secrets: Secrets, users: tuple[str, ...]) -> Listed:
    value, why = secrets.look(name)
    note = f"{why}!" if why else _standing(name, secrets) or ("" if users else "nobody asks for it")
    return Listed(name, value.fingerprint() if value else "", users, note, bool(why) and bool(users))


def _standing(name: str, secrets: Secrets) -> str:
    try:
        phase = phase_of(name, secrets.entries)
    except ValueError as error:
        return f"{error}!"
    return "" if phase is Phase.STEADY else f"in rotation: {phase.value}"


def refuse_reserved(name: str, source: Source) -> None:
    """Raises BadInput for a name that belongs to a rotation."""
    if is_reserved(name):
        what = f"{name!r} belongs to the rotation of {split(name)[0]!r}"
        hint = f"./slipway secrets rotate {source.inventory} {split(name)[0]}"
        raise BadInput([Problem(source.place, what, hint)])
