"""The proof of a release: what the edges answer."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError
from pyinfra.api.state import StateStage

from slipway.facts.edges import EdgeComplaint


@operation()
def proved(address: str, url: str, wanted: str, times: int, seconds: int) -> Generator[StringCommand]:
    """Through the edge at `address`, `times` requests in a row to `url` are answered with `wanted` (empty: below 500).

    Changes nothing and never counts as a change: it is asked when a run executes, after what it proves. Fails with the
    edge's answer where that is still wrong after `seconds`.
    """
    if host.state.current_stage == StateStage.Execute:
        said = host.get_fact(EdgeComplaint, address=address, url=url, wanted=wanted, times=times, seconds=seconds)
        if said:
            raise OperationError(_complaint(url, wanted, seconds, said))
    return
    yield  # an operation is a generator


def _complaint(url: str, wanted: str, seconds: int, said: str) -> str:
    if not wanted:
        return f"GET {url} through this edge: {said}; an answer below 500 was wanted within {seconds} s"
    hint = "an application that does not tell its release: app = {'proof_path': None} in group_data/all.py"
    what = f"GET {url} through this edge does not answer release {wanted} after {seconds} s: {said}"
    return f"{what}\n  HINT: {hint}" if said.endswith("404") else what
