"""What roles say that they need of a host, before it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyinfra.context import ctx_host

from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.engine.preflight import needs_of
from slipway.needs import Needs, Room, together
from slipway.ops import packages
from tests.certificates import pair
from tests.wrong_project import WrongProject, wrong_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrongProject:
    monkeypatch.chdir(tmp_path)
    made = wrong_project(tmp_path)
    made.whole_deploy()
    return made


def needs_by_host(project: WrongProject) -> dict[str, Needs]:
    run = declare(find_inventory("fleet"), [project.path / "deploy.py"])
    run.validated = run.applied
    found = {host.name: needs_of(run, host) for host in run.state.inventory}
    assert {name: problems for name, (_, problems) in found.items() if problems} == {}
    return {name: needs for name, (needs, _) in found.items()}


def test_every_role_says_what_it_needs(project: WrongProject) -> None:
    """Ports, packages and whom it connects to, for every host of a whole fleet: as the roles themselves set it up."""
    needs = needs_by_host(project)
    ports = {name: sorted({(port.what, port.port) for port in each.ports}) for name, each in needs.items()}
    assert ports["edge1"] == [("nginx", 80), ("nginx", 443), ("nginx's status", 8099)]
    assert ports["db1"] == [("PostgreSQL", 5432)] and ports["cache1"] == [("Redis", 6379)]
    assert {what for what, _ in ports["worker1"]} == {"api"} and len(ports["worker1"]) == 2
    assert {(reach.member, reach.port) for reach in needs["worker1"].reaches} == {("db1", 5432), ("cache1", 6379)}
    assert {image.is_built for image in needs["worker1"].images} == {True}


def test_every_package_that_a_role_installs_is_among_its_needs(
    project: WrongProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever any role of deploy.py installs on any host: else a mirror that is down is found too late."""
    installed: dict[str, set[str]] = {}
    real = packages.installed

    def noting(names: Sequence[str], **options: Any) -> Any:
        installed.setdefault(ctx_host.get().name, set()).update(names)
        return real(names=names, **options)

    monkeypatch.setattr(packages, "installed", noting)
    project.write("group_data/fleet.py", 'secrets = "file:secrets.yaml"\nfirewall = {"enabled": True}\n')
    needs = needs_by_host(project)
    known = {name: {each for one in found.packages for each in one.names} for name, found in needs.items()}
    assert {name: names - known[name] for name, names in installed.items()} == {name: set() for name in needs}
    # It does see them.
    assert {"nginx", "nftables"} <= installed["edge1"] and "docker.io" in installed["worker1"]


def test_a_certificate_of_an_edge_is_looked_at_with_its_key(project: WrongProject) -> None:
    """The files of the controller, before they are brought anywhere."""
    chain, key = pair(99, datetime.now(UTC))
    project.write("a.crt", chain)
    project.write("a.key", key)
    project.write(
        "group_data/nginx.py",
        'nginx = {"certificates": [{"hosts": ["demo.test"], "certificate": "a.crt", "key_file": "a.key"}]}\n',
    )
    (found,) = needs_by_host(project)["edge1"].certificates
    assert (found.where, found.names, found.chain) == ("a.crt", ("demo.test",), chain)
    assert found.key is not None and found.key.reveal() == key


@given(st.data())
def test_needs_of_several_roles_are_one_without_doubles(data: st.DataObject) -> None:
    """Nothing is lost, nothing counted twice."""
    rooms = st.lists(st.builds(Room, st.sampled_from("ab"), st.integers(0, 2), st.just("it")), max_size=4)
    listed = data.draw(st.lists(rooms, max_size=4))
    one = together(Needs(rooms=tuple(each)) for each in listed)
    assert set(one.rooms) == {room for each in listed for room in each}
    assert len(set(one.rooms)) == len(one.rooms)
    assert all(getattr(one, each.name) == () for each in fields(Needs) if each.name != "rooms")
