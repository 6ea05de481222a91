"""Templates: strict, rendered on the controller, before anything on a host changes."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from slipway.paths import project_root


@cache
def _environment(root: str) -> Environment:
    return Environment(
        loader=FileSystemLoader(root),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML; what goes in is validated data
    )


def render(template: str, /, **variables: Any) -> str:
    """The text of `templates/<template>` with these variables. Raises jinja2.TemplateError; an unknown name is one."""
    return _environment(str(project_root() / "templates")).get_template(template).render(**variables)
