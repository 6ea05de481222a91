"""The pass over deploy.py before the first connection: every host's data, every template, all problems at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfra.api import Config, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.util import exec_file

from slipway.engine.broken import problems_in, shown, unreadable
from slipway.engine.coverage import look_over_stages
from slipway.engine.fleet_wide import Shared
from slipway.engine.inventory import fleet_of, read_inventory
from slipway.engine.look_over import look_over_data, look_over_hosts
from slipway.engine.noise import look_over_noise
from slipway.engine.record import entry_of
from slipway.engine.run import Run, bind
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, Problems, conflict_line, did_you_mean
from slipway.reconcile.settings import Reconcile
from slipway.render import Templates
from slipway.seam import install
from slipway.seam.connection import NullConnection
from slipway.seam.hosts import select, with_connector
from slipway.secrets import SecretMissing, Secrets, SourceUnreadable, open_source
from slipway.secrets.versions import login_variable

if TYPE_CHECKING:
    from slipway.compose import Stack
    from slipway.recorded import Recalled


def declare(
    inventory_path: Path,
    deploy_files: Iterable[Path],
    limit: Iterable[str] = (),
    override_data: Mapping[str, Any] | None = None,
    group_data: Iterable[str] = (),
    recalled: Recalled | None = None,
    secrets: Secrets | None = None,
) -> Run:
    """What a run would do, as far as it can be known without connecting. Raises BadInput with every problem.

    What follows from a Compose file or from secrets that cannot be read is not looked at: it would only repeat them.

    + group_data: more folders of group data, as pyinfra's --group-data
    + recalled: a release on record, to run again; of the project only the inventory, deploy.py and the roles count
    + secrets: in the place of those that the inventory's source has
    """
    install()
    # Roles are the project's, wherever the command was started from.
    if str(project_root()) not in sys.path:
        sys.path.insert(0, str(project_root()))
    inventory = with_connector(read_inventory(inventory_path, override_data, group_data), NullConnection)
    run = _new_run(inventory, inventory_path, list(limit), recalled, secrets)
    files = list(deploy_files)
    with ctx_inventory.use(inventory), ctx_state.use(run.state):
        read = [_read_deploy_file(run, file) for file in files]
    if not recalled:
        look_over_data(inventory, inventory_path, _role_keys(run), run.problems)
        look_over_noise(run, inventory_path)
    if all(read):
        look_over_stages(run, files, inventory_path)
    run.problems.raise_if_any()
    run.entry = entry_of(run)
    return run


def _new_run(
    inventory: Inventory, path: Path, limit: list[str], recalled: Recalled | None, secrets: Secrets | None
) -> Run:
    problems = Problems()
    state = State(check_for_changes=False)
    ctx_config.set(Config())
    state.init(inventory, ctx_config.get(), initial_limit=_limited(inventory, limit, problems))
    state.cwd = str(project_root())
    state.set_stage(StateStage.Prepare)
    for host in inventory:
        state.activate_host(host)
    fleet = fleet_of(inventory, path, problems)
    look_over_hosts(inventory, path, fleet, problems)
    shared = Shared(inventory, path, problems)
    secrets = secrets or _secrets(shared, problems)
    run = Run(state, fleet, secrets, declaring=True, problems=problems)
    run.reconcile = shared.model("reconcile", Reconcile)
    if recalled:
        run.recalled, run.stack, run.release = recalled, recalled.stack, recalled.release
        run.templates = Templates(recalled.templates)
    else:
        run.stack = _stack(shared, secrets, run)
        run.release = _release(run)
    return bind(run)


def _limited(inventory: Inventory, limit: list[str], problems: Problems) -> Any:
    try:
        return select(inventory, limit) if limit else None
    except BadInput as error:
        problems.extend(error.problems)
        return None


def _secrets(shared: Shared, problems: Problems) -> Secrets:
    told = len(problems)
    spec = shared.text("secrets")
    if len(problems) > told:
        return UNKNOWN
    if spec is None:
        hint = "set `secrets` in group_data"
        return Secrets("no source", lambda name: None, remedy=lambda name: hint)
    try:
        return open_source(spec, project_root())
    except SourceUnreadable as error:
        problems.add(shared.place("secrets"), error.what, error.hint)
        return UNKNOWN


def login_variables(secrets: Secrets) -> dict[str, str]:
    """Variables of the Compose file that say which login a password belongs to."""
    return {login_variable(name): login for name, login in secrets.logins().items()}


UNKNOWN = Secrets("unreadable", lambda name: "unreadable source")
"""Where the source itself is wrong, that is told once; no single secret is called missing."""


def _stack(shared: Shared, secrets: Secrets, run: Run) -> Stack | None:
    """The application; None without one, and where it cannot be used."""
    told = len(run.problems)
    name, variables = shared.text("stack"), {**shared.texts("variables"), **login_variables(secrets)}
    stack = _loaded(name, variables, shared.place("stack"), secrets, run.problems) if name else None
    run.stack_is_broken = stack is None and len(run.problems) > told
    return stack


def _loaded(name: str, variables: Mapping[str, str], place: str, secrets: Secrets, problems: Problems) -> Stack | None:
    path = project_root() / "stacks" / name / "compose.yaml"
    if not path.is_file():
        known = [folder.parent.name for folder in (project_root() / "stacks").glob("*/compose.yaml")]
        problems.add(place, f"stacks/{name}/compose.yaml does not exist", did_you_mean(name, known))
        return None
    if line := conflict_line(path.read_text(encoding="utf-8", errors="replace")):
        problems.add(f"{shown(path)}:{line}", "is in the middle of a merge", "take one side and remove the marks")
        return None
    from slipway import compose  # an inventory without an application does not pay for it

    try:
        return compose.load(path, variables=variables, secret_names=secrets.names)
    except BadInput as error:
        problems.extend(_each_line_once(error.problems))
        return None


def _each_line_once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """A line that several services share by an anchor is told for the first of them."""
    seen: set[tuple[str, str]] = set()
    for problem in problems:
        told = (problem.where, problem.what.rpartition(": ")[2])
        if told not in seen:
            yield replace(problem, hint=problem.hint or "change that line; docs/compose.md says what the key takes")
        seen.add(told)


def _release(run: Run) -> Any:
    if run.stack is None:
        return None
    from slipway.release import release_of

    try:
        return release_of(run.stack, run.fleet, run.secrets)
    except BadInput as error:
        run.problems.extend(error.problems)
    except SecretMissing as error:
        run.problems.extend([error.problem("the application")])
    return None


def _read_deploy_file(run: Run, deploy_file: Path) -> bool:
    """Runs it for every host; False where it stopped, which is told once and not for each host."""
    if problem := unreadable(str(deploy_file)):
        run.problems.extend([problem])
        return False
    run.state.current_deploy_filename = str(deploy_file)
    return all(_read_for(run, host, deploy_file) for host in run.state.inventory)


def _read_for(run: Run, host: Any, deploy_file: Path) -> bool:
    with ctx_config.use(run.state.config.copy()), ctx_host.use(host):
        try:
            exec_file(str(deploy_file))
        except (UnexpectedExternalError, SyntaxError) as error:
            run.problems.extend(problems_in(error))
            return False
        except PyinfraError as error:
            run.problems.extend([Problem(shown(deploy_file), str(error), "pyinfra refuses it")])
            return False
    return True


def _role_keys(run: Run) -> set[str]:
    """Names that may hold role data: every role in roles/ and every role that deploy.py brings."""
    folders = {path.parent.name for path in (project_root() / "roles").glob("*/__init__.py")}
    return folders | {role.key for stage in run.stages for _, role in stage.roles}
