"""One host as it is judged: what its roles need, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.facts.preflight import HostFacts
from slipway.fleet import Machine
from slipway.needs import Needs
from slipway.preflight.clock import Offset
from slipway.preflight.findings import ERROR, FINE, WARNING, Finding


@dataclass(frozen=True)
class Subject:
    """A host that answers."""

    host: str
    machine: Machine
    needs: Needs
    facts: HostFacts
    offset: Offset = field(default=Offset())
    images: frozenset[str] = frozenset()
    """Those of its needs that it has."""
    image_mib: Mapping[str, int] = field(default_factory=dict)
    """Size of images that the controller has, unpacked."""

    def error(self, check: str, what: str, do: str) -> Finding:
        return Finding(self.host, check, ERROR, what, do)

    def warning(self, check: str, what: str, do: str) -> Finding:
        return Finding(self.host, check, WARNING, what, do)

    def fine(self, check: str, what: str) -> Finding:
        return Finding(self.host, check, FINE, what)

    @property
    def missing_packages(self) -> list[str]:
        """What has to be fetched from a mirror, in the order in which roles name it."""
        wanted = dict.fromkeys(name for each in self.needs.packages for name in each.names)
        return [name for name in wanted if name not in self.facts.packages]

    @property
    def missing_images(self) -> list[str]:
        return [image.ref for image in self.needs.images if image.ref not in self.images]
