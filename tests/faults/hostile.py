"""Hostile strings, and every place of a model's data where a string can stand. Generated from the types."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

PWNED = "/tmp/slipway-pwned-0"
"""Made where a value is run instead of written; what is deployed on hosts has a number of its own for each field."""

HOSTILE = (
    f"; touch {PWNED}",
    f"$(touch {PWNED})",
    f"`touch {PWNED}`",
    f"a\ntouch {PWNED}\n",
    "a\rb",
    "a\0b",
    "{{ 7*7 }}",
    "{% for x in range(9) %}{{ x }}{% endfor %}",
    "{# #}",
    "; } location / { return 200;",
    "}\nserver { listen 1;",
    f"'; COPY (SELECT 1) TO PROGRAM 'touch {PWNED}'; --",
    '"; DROP DATABASE postgres; --',
    "'",
    '"',
    "\\",
    "a\\\nb",
    "%s%n%(x)s%%",
    "${HOME}$HOME~",
    "@here@",
    "{candidate}",
    "{version}",
    "\u202eevil\u2066\u200b",
    "a\u2028b\x85c",
    "\ud800",
    "\x1b[2J\x1b]0;owned\x07",
    "-rf",
    "--help",
    "../../../../etc/shadow",
    "/etc/shadow",
    "# x",
    "a=b",
    "[Service]\nExecStart=/bin/sh",
    "é日本\U0001f4a9",
    " ",
    "",
    "a\tb",
    "<script>alert(1)</script>",
)
"""Alone, and put before, after and into what is right."""

LONG = "A" * (1 << 20)
"""One megabyte."""

CANDIDATES = (
    "alpha", "10.0.0.11", "10.0.0.0/24", "/srv/alpha", "alpha.test", "/", "1k", "20m", "512mb", "60 1", "03:00", "1h",
    "daily", "C.UTF-8", "Etc/UTC", "net.core.somaxconn", "+@all", "0640", "ALL=(ALL) ALL", "a@b.test", "a=b",
    "10.0.0.11:9323", "https://alpha.test", "10.0.0.1/24", "origin=Debian,label=alpha", "2G", "X-Alpha",
    "SELECT", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqGqUGW9HFHeLEpMjPbZFDBEpPEuRzFGpxQ7QyJIdQw alpha",
    "BEGIN PGP PUBLIC KEY BLOCK alpha", "alpha:1", "CONNECT", "LICENSE", "curl", "22", "alpha/beta",
    "alpha ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqGqUGW9HFHeLEpMjPbZFDBEpPEuRzFGpxQ7QyJIdQw",
)  # fmt: skip
"""Strings of which at least one is right for any field: what a hostile one is put into, and compared with."""

LINE_OF_KEY = CANDIDATES[-1]

NUMBERS = (1, 8, 80, 1024, 8080, 2000)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a string can stand in a model's data."""

    path: tuple[str, ...]
    """Fields, `[]` for an item of a list, `{}` for a value and `{key}` for a key of a dict."""
    kind: Any
    """Its type, with what limits it."""
    steps: tuple[Any, ...]
    """How the data around it is built, from the outside in."""

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def data(self, leaf: Any) -> dict[str, Any]:
        """Data of the whole model with this value here, and as little as may be besides."""
        value = leaf
        for step in reversed(self.steps):
            value = step.around(value)
        return {**BESIDE_PLACES.get(_without_application(self.name), lambda leaf: {})(leaf), **value}


def _without_application(name: str) -> str:
    return name.removeprefix("application.")


BESIDE: Mapping[str, Mapping[str, Any]] = {
    "Nginx": {"listen": ["10.0.0.11"], "self_signed": True},
    "Nginx.sites": {"upstreams": {"alpha": {}}},
    "Nginx.extra_sites": {"upstreams": {"alpha": {}}},
    "Nginx.certificates": {"sites": [{"name": "alpha", "hosts": ["alpha.test"]}]},
    "Certificate": {"hosts": ["alpha.test"], "host_certificate": "/alpha", "host_key": "/alpha"},
    "Certificate.certificate": {"key_secret": "alpha", "host_certificate": None, "host_key": None},
    "Certificate.key_secret": {"certificate": "LICENSE", "host_certificate": None, "host_key": None},
    "Certificate.key_file": {"certificate": "LICENSE", "host_certificate": None, "host_key": None},
    "Route": {"upstream": "alpha"},
    "Postgres.tls_certificate": {"tls_key": "/alpha"},
    "Postgres.tls_key": {"tls_certificate": "/alpha"},
    "HbaEntry": {"address": "10.0.0.0/24"},
    "Grant": {"role": "alpha", "database": "alpha", "privileges": ["ALL"]},
    "Grant.objects": {"on": "tables"},
    "Grant.future_from": {"on": "tables"},
    "Docker.repository_key": {"repository": "docker"},
    "Docker.repository_url": {"repository": "docker", "repository_key": "BEGIN PGP PUBLIC KEY BLOCK"},
    "Redis": {"password": "alpha"},
    "Reconciler": {"url": "https://alpha.test", "allowed_signers": [LINE_OF_KEY], "known_hosts": [LINE_OF_KEY]},
    "UnattendedUpgrades": {"enabled": True},
    "Ssh": {"enabled": True},
    "Firewall": {"enabled": True},
}
"""By `Model` or `Model.field`: what has to stand beside, where a model asks for more than its types tell."""


def _named(leaf: Any) -> list[str]:
    return ["alpha", "omega" if leaf == "alpha" else leaf]


def _known(leaf: Any) -> dict[str, Any]:
    """Roles and a database of this name, for whatever names them."""
    return {"roles": [{"name": name} for name in _named(leaf)], "databases": [{"name": n} for n in _named(leaf)]}


BESIDE_PLACES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "databases.[].owner": lambda leaf: {"roles": [{"name": leaf}]},
    "grants.[].role": _known,
    "grants.[].database": _known,
    "grants.[].privileges.[]": lambda leaf: _known("alpha"),
    "grants.[].in_schema": lambda leaf: _known("alpha"),
    "grants.[].objects.[]": lambda leaf: _known("alpha"),
    "grants.[].future_from": _known,
    "extra_sites.[].routes.[].upstream": lambda leaf: {"upstreams": {leaf: {}}},
    "sites.[].routes.[].upstream": lambda leaf: {"upstreams": {leaf: {}}},
}
"""By place: what has to stand elsewhere, because the value here refers to it."""


@dataclass(frozen=True)
class _Field:
    model: type[BaseModel]
    name: str

    def around(self, value: Any) -> dict[str, Any]:
        name = self.model.__name__
        return {**smallest(self.model), **BESIDE.get(f"{name}.{self.name}", {}), self.name: value}


@dataclass(frozen=True)
class _Item:
    def around(self, value: Any) -> list[Any]:
        return [value]


@dataclass(frozen=True)
class _Value:
    key: Any

    def around(self, value: Any) -> dict[Any, Any]:
        return {self.key: value}


@dataclass(frozen=True)
class _Key:
    value: Any

    def around(self, value: Any) -> dict[Any, Any]:
        return {value: self.value}


def places(model: type[BaseModel], path: tuple[str, ...] = (), steps: tuple[Any, ...] = ()) -> Iterator[Place]:
    """Every place of the model where a string may stand, however deep."""
    for name, field in model.model_fields.items():
        yield from _within(_typed(field), (*path, name), (*steps, _Field(model, name)))


def _typed(field: FieldInfo) -> Any:
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _within(kind: Any, path: tuple[str, ...], steps: tuple[Any, ...]) -> Iterator[Place]:
    bare, limits = (get_args(kind)[0], get_args(kind)[1:]) if get_origin(kind) is Annotated else (kind, ())
    origin, inner = get_origin(bare), get_args(bare)
    if bare in (str, Any):
        yield Place(path, kind, steps)
    elif isinstance(bare, type) and issubclass(bare, BaseModel):
        yield from places(bare, path, steps)
    elif origin in (Union, types.UnionType):
        for each in inner:
            yield from _within(Annotated[each, *limits] if limits else each, path, steps)
    elif origin in (list, tuple, set, frozenset, Sequence):
        yield from _within(inner[0], (*path, "[]"), (*steps, _Item()))
    elif origin in (dict, Mapping):
        yield from _within(inner[0], (*path, "{key}"), (*steps, _Key(right(inner[1]))))
        yield from _within(inner[1], (*path, "{}"), (*steps, _Value(right(inner[0]))))


@cache
def smallest(model: type[BaseModel]) -> Mapping[str, Any]:
    """Values for the fields that must be given."""
    told = BESIDE.get(model.__name__, {})
    needed = {name: field for name, field in model.model_fields.items() if field.is_required() and name not in told}
    return {**{name: right(_typed(field)) for name, field in needed.items()}, **told}


def right(kind: Any) -> Any:
    """A value that is right for the type. Raises LookupError where none of ours is."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    origin, inner = get_origin(bare), get_args(bare)
    if origin is Literal:
        return inner[0]
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return dict(smallest(bare))
    if origin in (Union, types.UnionType):
        return right(inner[0])
    if origin in (list, tuple, Sequence):
        return [right(inner[0])]
    if origin in (dict, Mapping):
        return {right(inner[0]): right(inner[1])}
    return next(iter(rights(kind)))


def rights(kind: Any) -> Iterator[Any]:
    """Every one of our values that is right for a plain type. Raises LookupError where none is."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    found = False
    for value in (*CANDIDATES, *NUMBERS, True):
        try:
            adapter.validate_python(value, strict=True)
        except ValidationError:
            continue
        found = True
        yield value
    if not found:
        raise LookupError(f"none of the candidates is right for {kind}: add one to tests/faults/hostile.py")


def spoiled(good: str) -> Iterator[str]:
    """Hostile strings: each alone, and each before, after and in the middle of one that is right."""
    half = len(good) // 2
    for bad in HOSTILE:
        yield from (bad, bad + good, good + bad, good[:half] + bad + good[half:])
        # An IPv6 address may have a zone after a percent sign, which Python takes to be any text.
        yield from (f"fe80::1%{bad}", f"fe80::%{bad}/64")
    yield from (LONG, good + LONG)
