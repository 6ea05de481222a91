"""IP addresses and networks in data: as Python reads them, but for zones, which may be any text."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator


def address_of(text: str) -> str:
    """The address in its usual spelling. Raises ValueError for anything else, and for a zone (`fe80::1%eth0`)."""
    return str(ipaddress.ip_address(_without_zone(text)))


def network_of(text: str) -> str:
    """The network as it was written. Raises ValueError for anything else, and for a zone."""
    ipaddress.ip_network(_without_zone(text))
    return text


def interface_of(text: str) -> str:
    """An address with its prefix, in its usual spelling. Raises ValueError for anything else, and for a zone."""
    return str(ipaddress.ip_interface(_without_zone(text)))


def _without_zone(text: str) -> str:
    # Python takes whatever follows the percent sign, line ends and quotes too: no file that it goes into would.
    if "%" in text:
        raise ValueError("an address with a zone (what follows a % sign) names no host of a fleet; leave the zone out")
    return text


Address = Annotated[str, AfterValidator(address_of)]
"""An IP address in its usual spelling."""
Network = Annotated[str, AfterValidator(network_of)]
"""A network in CIDR form, as it was written."""
