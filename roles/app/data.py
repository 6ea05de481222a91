"""What an application's hosts can be told beside its Compose file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slipway.role import RoleData


class App(RoleData):
    """How the containers of the Compose file run, where the file itself says nothing."""

    keep_releases: Annotated[int, Field(ge=1, le=100)] = 5
    """Releases kept on each host for a rollback, the running one included; x-slipway.keep_releases unless given."""
    log_driver: Literal["", "json-file", "local", "journald", "syslog", "fluentd", "gelf", "none"] = ""
    """Docker's log driver for services without `logging`; empty leaves the engine's own."""
    log_options: dict[str, str] = {}
    """Options of that driver, such as {"max-size": "10m"}."""
    pids_limit: Annotated[int, Field(ge=-1)] = 4096
    """Processes and threads of a container without a limit of its own: a fork bomb stays in it. -1 is no limit."""
    no_new_privileges: bool = True
    """Whether set-uid programs in containers gain nothing, unless the service's security_opt says otherwise."""
    proof_path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")] | None = "/version"
    """Path that each site answers with the release id, tried through every edge after a roll; None: any answer below
    500 will do."""
    proof_port: Annotated[int, Field(ge=1, le=65535)] = 80
    """Port of the edges for plain HTTP; a redirect to TLS is followed."""
    proof_seconds: Annotated[int, Field(ge=1, le=600)] = 20
    """How long the edges may take until every answer is the new release's."""
    image_seconds: Annotated[int, Field(ge=10)] = 1800
    """Time limit for bringing one image to a host."""
