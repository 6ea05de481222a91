"""Templates: strict, rendered on the controller, before anything on a host changes."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import cache, cached_property, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import BaseLoader, ChoiceLoader, DictLoader, Environment, FileSystemLoader, StrictUndefined
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pyinfra.api import State
from pyinfra.context import ctx_state

from slipway.compiled import Compiled
from slipway.distinct import NoKey, key_of
from slipway.paths import project_root, state_dir

ALWAYS_NEW = ("#!", "{# Goes with Slipway")
"""What begins a template that no record keeps: a program, or what today's engine talks to. It stays today's."""


class Templates:
    """Where the templates of one run come from, and which of them it has used."""

    def __init__(self, recorded: Mapping[str, str] | None = None) -> None:
        """`recorded`: texts by name that stand before the project's own."""
        self._recorded = dict(recorded or {})
        self._used: set[str] = set()
        self._rendered: dict[Hashable, str] = {}

    def render(self, name: str, variables: Mapping[str, Any]) -> str:
        """The text; made once for the same variables, for however many hosts and in both passes over deploy.py."""
        try:
            key = name, key_of(variables)
        except NoKey:
            return self._render(name, variables)
        if key not in self._rendered:
            self._rendered[key] = self._render(name, variables)
        return self._rendered[key]

    def _render(self, name: str, variables: Mapping[str, Any]) -> str:
        self._used.add(name)
        return self._environment.get_template(name).render(**variables)

    def texts(self) -> dict[str, str]:
        """Name and text of every template that was used, of what it includes too; without those that stay today's."""
        found: dict[str, str] = {}
        waiting = sorted(self._used)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self._text(name)
                waiting += _referenced(found[name])
        return {name: text for name, text in sorted(found.items()) if not text.startswith(ALWAYS_NEW)}

    def _text(self, name: str) -> str:
        loader = self._environment.loader or FileSystemLoader(())
        return loader.get_source(self._environment, name)[0]

    @cached_property
    def _environment(self) -> Environment:
        # Resolved: two projects that share a directory of templates share what is made of them.
        root = str((project_root() / "templates").resolve())
        if not self._recorded:
            return _environment(root)
        return _made(ChoiceLoader([DictLoader(self._recorded), FileSystemLoader(root)]))


@cache
def _environment(root: str) -> Environment:
    return _made(FileSystemLoader(root), Compiled(state_dir() / "templates"))


def _made(loader: BaseLoader, compiled: Compiled | None = None) -> Environment:
    # Texts on record come from hosts. A host that somebody has taken over must not run anything here by them.
    return ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        bytecode_cache=compiled,
    )


_REFERS = re.compile(r"\b(extends|include|import)\b")
"""Without one of these words no template has to do with another: it need not be taken apart a second time."""


@lru_cache(maxsize=1024)  # more than a project has templates
def _referenced(text: str) -> tuple[str, ...]:
    """Names of the templates that this one includes or extends."""
    if not _REFERS.search(text):
        return ()
    found = find_referenced_templates(_made(BaseLoader()).parse(text))
    return tuple(name for name in found if name)


_of: WeakKeyDictionary[State, Templates] = WeakKeyDictionary()


def renders_from(state: State, templates: Templates) -> None:
    """From now on whatever is rendered for this state comes from these templates."""
    _of[state] = templates


def render(template: str, /, **variables: Any) -> str:
    """The text of `templates/<template>` with these variables. Raises jinja2.TemplateError; an unknown name is one.

    Of a release on record it is the template that is on record with it.
    """
    state = ctx_state.get()
    templates = _of.get(state) if state is not None else None
    return (templates or Templates()).render(template, variables)
