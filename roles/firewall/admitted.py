"""Who is let in to what, as nftables says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from roles.firewall.data import Firewall
from slipway.context import Context

EDGES = "nginx"
"""The group whose hosts are the edges."""


@dataclass(frozen=True)
class Admitted:
    """One rule: what it is for, and what it matches."""

    why: str
    matches: tuple[str, ...]


def admitted(data: Firewall, ctx: Context) -> list[Admitted]:
    """Every rule, in the order in which they are tried."""
    fleet = [member.address for member in ctx.fleet]
    found = [
        Admitted("Log-ins.", _matches(data.ssh_from, "tcp", [ctx.host.ssh_port or 22])),
        Admitted("The fleet.", _matches(fleet, "tcp", data.from_fleet) if data.from_fleet != [] else ()),
        Admitted("Everybody.", _matches([], "tcp", public) if (public := public_ports(data, ctx)) else ()),
        *(Admitted("Besides.", _matches(rule.sources, rule.protocol, rule.ports)) for rule in data.extra_rules),
    ]
    return [rule for rule in found if rule.matches]


def public_ports(data: Firewall, ctx: Context) -> Sequence[int]:
    """TCP ports that everybody may reach on this host."""
    if data.public_ports is not None:
        return data.public_ports
    return (80, 443) if EDGES in ctx.host.groups else ()


def _matches(sources: Iterable[str], protocol: str, ports: Sequence[int] | None) -> tuple[str, ...]:
    """One for each kind of address among the sources; one for everybody where there are none."""
    wanted = f"{protocol} dport {_set(map(str, sorted(set(ports))))}" if ports is not None else ""
    return tuple(" ".join(part for part in (source, wanted) if part) for source in _sources(sources))


def _sources(networks: Iterable[str]) -> list[str]:
    found = [ip_network(each) for each in networks]
    if not found:
        return [""]
    old = [_shown(each) for each in collapse_addresses(each for each in found if isinstance(each, IPv4Network))]
    new = [_shown(each) for each in collapse_addresses(each for each in found if isinstance(each, IPv6Network))]
    return [f"{kind} saddr {_set(each)}" for kind, each in (("ip", old), ("ip6", new)) if each]


def _shown(network: IPv4Network | IPv6Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)


def _set(members: Iterable[str]) -> str:
    return f"{{ {', '.join(members)} }}"
