"""A secret shows itself to `reveal()` and to nothing else."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from slipway.secrets import Sealed, Secret, Secrets
from tests.wrong_project import ROOT

CANARY = "canary-4711-Zm9v"


@dataclass(frozen=True)
class Holder:
    """Something that has a secret in one of its fields."""

    password: Secret
    also: tuple[Secret, ...] = ()


class Model(BaseModel):
    """The same of pydantic."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")
    password: Secret


def failing(password: Secret) -> None:
    """Fails with a secret among its locals and in its exception."""
    held = {"password": password, "holder": Holder(password)}
    raise ValueError(password, held)


def raised() -> ValueError:
    try:
        failing(Secret(CANARY))
    except ValueError as error:
        return error
    raise AssertionError


def known() -> Secrets:
    """Secrets of which one has been asked for."""
    secrets = Secrets("test", lambda name: CANARY)
    secrets.get("db")
    return secrets


def _with_locals(error: Exception) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(
        Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
    )
    captured = traceback.TracebackException.from_exception(error, capture_locals=True)
    return out.getvalue() + "".join(captured.format())


def _logged(secret: Secret) -> str:
    out = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(out))
    logger.error("%s %r", secret, {"it": secret})
    return out.getvalue()


def _refusal(secret: Secret) -> str:
    with pytest.raises(ValidationError) as refused:
        Model.model_validate({"password": secret, "other": secret})
    return str(refused.value) + json.dumps(refused.value.errors(include_url=False), default=str)


@pytest.mark.parametrize(
    "shown",
    [
        repr, str, "{}".format, "{!r:>40}".format, "{:x>40}".format, lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: f"{Holder(secret, (secret,))}", lambda secret: repr(asdict(Holder(secret))), pretty_repr,
        lambda secret: repr(Model(password=secret)), lambda secret: repr(Model(password=secret).model_dump()),
        lambda secret: _with_locals(raised()), lambda secret: repr(raised()), _logged, _refusal,
        lambda secret: json.dumps({"it": secret}, default=str), lambda secret: repr(vars(known())),
        lambda secret: repr(copy.deepcopy([copy.copy(secret)])),
    ],
)  # fmt: skip
def test_however_it_is_shown_nothing_of_it_shows(shown: Any) -> None:
    """Printed, formatted, in dataclasses and models, logs, refusals and tracebacks with their local variables."""
    told = shown(Secret(CANARY))
    assert told
    assert CANARY not in told


@pytest.mark.parametrize(
    "written",
    [
        *(lambda secret, protocol=protocol: pickle.dumps(secret, protocol) for protocol in range(6)),
        lambda secret: pickle.dumps(Holder(secret)), json.dumps, lambda secret: json.dumps(asdict(Holder(secret))),
        to_jsonable_python, lambda secret: Model(password=secret).model_dump_json(),
    ],
)  # fmt: skip
def test_it_is_written_into_nothing(written: Any) -> None:
    """Neither pickled for another process nor made JSON of: it fails, without a word of it."""
    with pytest.raises(Exception) as refused:
        written(Secret(CANARY))
    assert CANARY not in repr(refused.value)


def test_a_copy_is_the_secret_itself() -> None:
    """So that data which holds one can be copied."""
    secret = Secret(CANARY)
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret
    assert copy.copy(secret).reveal() == CANARY


def test_two_are_equal_by_value_and_a_sealed_one_has_none() -> None:
    """Versions are compared by fingerprint; of one on record nobody knows more."""
    assert Secret("a") == Secret("a") != Secret("b")
    sealed = Sealed(Secret(CANARY).fingerprint())
    assert sealed.fingerprint() == Secret(CANARY).fingerprint()
    with pytest.raises(ValueError, match="has no value here"):
        sealed.reveal()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "is missing"), ("", "is empty"), (" \t\n", "is empty"), ("<CHANGEME>", "is still a placeholder"),
        ("Todo", "is still a placeholder"), (f"{CANARY}\0", "NUL byte"), (f"{CANARY}\ud83d", "half a surrogate pair"),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_named_and_not_shown(value: str | None, why: str) -> None:
    """Missing, empty, a placeholder, or text that no file can hold: told by name, with what to do and who needs it."""
    with pytest.raises(Exception, match=why) as refused:
        Secrets("test", {"db": value}.get, remedy=lambda name: f"write {name}").get("db")
    assert str(refused.value.problem("role redis")).endswith("HINT: write db; needed by role redis")
    assert CANARY not in repr(refused.value) + str(refused.value.__context__)


OPENED_IN = {
    "roles/app/verify.py": "that no environment of a container has one",
    "roles/reconciler/identity.py": "the public half of a private key",
    "roles/reconciler/tasks.py": "a private key's last line, on its way to standard input",
    "roles/redis/config.py": "hashes for the ACL file; a replica's own log-in",
    "src/slipway/cli/secrets_rotate.py": "from one entry of the source to another",
    "src/slipway/ops/files.py": "content of a file, on its way to standard input",
    "src/slipway/ops/postgres/roles.py": "a verifier, on its way to standard input",
    "src/slipway/ops/secret_files.py": "files of containers, on their way to standard input",
    "src/slipway/preflight/certificates.py": "whether a key fits its certificate",
    "src/slipway/pull/lease.py": "a password, on its way to Redis",
    "src/slipway/reconcile/watched/sending.py": "an address, on its way to the standard input of who delivers",
    "src/slipway/scram.py": "a verifier of a password",
}
"""Modules that look into a secret, and for what."""


def test_secrets_are_opened_where_they_leave_and_nowhere_else() -> None:
    """From the reader to the host a secret stays one: whoever opens it somewhere else says here what for."""
    files = [file for folder in ("src", "roles") for file in (ROOT / folder).rglob("*.py")]
    found = {str(file.relative_to(ROOT)) for file in files if ".reveal()" in file.read_text()}
    assert found == set(OPENED_IN)
