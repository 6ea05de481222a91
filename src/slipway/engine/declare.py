"""The pass over deploy.py before the first connection: every host's data, every template, all problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfra.api import Config, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.util import exec_file

from slipway.engine.inventory import broken_file, fleet_of, look_over, read_inventory
from slipway.engine.run import Run, bind
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, Problems, did_you_mean
from slipway.seam import install
from slipway.seam.connection import NullConnection
from slipway.seam.hosts import select, with_connector
from slipway.secrets import SecretMissing, Secrets, SourceUnreadable, open_source

if TYPE_CHECKING:
    from slipway.compose import Stack


def declare(
    inventory_path: Path,
    deploy_files: Iterable[Path],
    limit: Iterable[str] = (),
    override_data: Mapping[str, Any] | None = None,
) -> Run:
    """What a run would do, as far as it can be known without connecting. Raises BadInput with every problem."""
    install()
    inventory = with_connector(read_inventory(inventory_path, override_data), NullConnection)
    run = _new_run(inventory, inventory_path, list(limit))
    with ctx_inventory.use(inventory), ctx_state.use(run.state):
        for deploy_file in deploy_files:
            _read_deploy_file(run, deploy_file)
    look_over(inventory, inventory_path, _role_keys(run), run.problems)
    run.problems.raise_if_any()
    return run


def _new_run(inventory: Inventory, path: Path, limit: list[str]) -> Run:
    problems = Problems()
    state = State(check_for_changes=False)
    ctx_config.set(Config())
    state.init(inventory, ctx_config.get(), initial_limit=_limited(inventory, limit, problems))
    state.cwd = str(project_root())
    state.set_stage(StateStage.Prepare)
    for host in inventory:
        state.activate_host(host)
    fleet = fleet_of(inventory, path, problems)
    secrets = _secrets(inventory, problems)
    run = Run(state, fleet, secrets, declaring=True, problems=problems)
    run.stack = _stack(inventory, secrets, problems)
    run.release = _release(run)
    return bind(run)


def _limited(inventory: Inventory, limit: list[str], problems: Problems) -> Any:
    try:
        return select(inventory, limit) if limit else None
    except BadInput as error:
        problems.extend(error.problems)
        return None


def fleet_wide(inventory: Inventory, key: str, problems: Problems) -> Any:
    """A value that the whole inventory shares; None where nobody sets it. Differing values are a problem."""
    found = {repr(value): value for host in inventory if (value := host.data.get(key)) is not None}
    if len(found) > 1:
        problems.add(f"data: {key}", f"differs between hosts: {', '.join(sorted(found))}", "set it in one place")
    return next(iter(found.values()), None)


def _secrets(inventory: Inventory, problems: Problems) -> Secrets:
    spec = fleet_wide(inventory, "secrets", problems)
    if spec is None:
        return Secrets("no source: set `secrets` in group_data", lambda name: None)
    try:
        return open_source(str(spec), project_root())
    except SourceUnreadable as error:
        problems.add("data: secrets", str(error), "for the lab: ./slipway lab up writes it")
        return Secrets("unreadable", lambda name: "unreadable source")


def _stack(inventory: Inventory, secrets: Secrets, problems: Problems) -> Stack | None:
    name = fleet_wide(inventory, "stack", problems)
    if name is None:
        return None
    path = project_root() / "stacks" / str(name) / "compose.yaml"
    if not path.is_file():
        known = [folder.parent.name for folder in (project_root() / "stacks").glob("*/compose.yaml")]
        problems.add("data: stack", f"stacks/{name}/compose.yaml does not exist", did_you_mean(str(name), known))
        return None
    from slipway import compose  # an inventory without an application does not pay for it

    variables = fleet_wide(inventory, "variables", problems) or {}
    try:
        return compose.load(path, variables=variables, secret_names=secrets.names)
    except BadInput as error:
        problems.extend(error.problems)
        return None


def _release(run: Run) -> Any:
    if run.stack is None:
        return None
    from slipway.release import release_of

    try:
        return release_of(run.stack, run.fleet, run.secrets)
    except BadInput as error:
        run.problems.extend(error.problems)
    except SecretMissing as error:
        run.problems.add(f"secrets ({error.source})", f"{error.name!r} {error.why}", "the application needs it")
    return None


def _read_deploy_file(run: Run, deploy_file: Path) -> None:
    run.state.current_deploy_filename = str(deploy_file)
    for host in run.state.inventory:
        with ctx_config.use(run.state.config.copy()), ctx_host.use(host):
            try:
                exec_file(str(deploy_file))
            except (UnexpectedExternalError, SyntaxError) as error:
                problem = broken_file(error)
                run.problems.extend([Problem(problem.where, problem.what, problem.hint)])
                return
            except PyinfraError as error:
                run.problems.add(str(deploy_file.name), str(error))
                return


def _role_keys(run: Run) -> set[str]:
    """Names that may hold role data: every role in roles/ and every role that deploy.py brings."""
    folders = {path.parent.name for path in (project_root() / "roles").glob("*/__init__.py")}
    return folders | {role.key for stage in run.stages for _, role in stage.roles}
