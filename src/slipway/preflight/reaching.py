"""Whether hosts reach what they need, and why a host is not reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slipway.needs import Reach
from slipway.preflight.findings import ERROR, Finding
from slipway.preflight.packages import told
from slipway.preflight.ports import overlap
from slipway.preflight.resources import short
from slipway.preflight.subject import Subject

WHY = (
    ("resolve", "cannot resolve {at}", "correct ssh_hostname in the inventory; try here: getent hosts {at}"),
    ("No host key", "the host key of {at} is not known", "compare what `ssh-keyscan {at}` says, add it to known_hosts"),
    ("does not match", "the host key of {at} has changed",
     "somebody may be in between. Where the host was set up anew: ssh-keygen -R {at}, then add its new key"),
    ("uthentication", "the log-in is refused", "is the key in the user's authorized_keys there? try: ssh {at}"),
    ("efused", "{at} refuses the connection", "is sshd up, on this port? try: ssh {at}"),
    ("imed out", "{at} does not answer", "is the host on, and a firewall between? try: ping {at}"),
    ("imeout", "{at} does not answer", "is the host on, and a firewall between? try: ping {at}"),
    ("o route", "there is no route to {at}", "is the host on, and its address right? try: ping {at}"),
    ("nreachable", "there is no route to {at}", "is the host on, and its address right? try: ping {at}"),
)  # fmt: skip
"""A word of the reason to what is told and what to do."""


def unreachable(host: str, at: str, why: str) -> Finding:
    """What is found of a host that could not be connected to. `at` is its name or address for SSH."""
    for word, what, do in WHY:
        if word in why:
            return Finding(host, "ssh", ERROR, f"{what.format(at=at)} ({why})", do.format(at=at))
    return Finding(host, "ssh", ERROR, why, f"try: ssh {at}")


def not_root(host: str, why: str) -> Finding:
    """What is found of a host that answers and lets us do nothing as root."""
    if "sudo" not in why:
        return Finding(host, "system", ERROR, f"it could not be asked: {why}", "try there: sudo -n sh -c true")
    do = "install sudo, and let the log-in user use it: `USER ALL=(ALL) NOPASSWD: ALL` in /etc/sudoers.d"
    return Finding(host, "sudo", ERROR, f"no root without a password ({why})", do)


def reaches(hosts: Mapping[str, Subject]) -> Iterator[Finding]:
    """What hosts cannot connect to, where it is up or nobody of the fleet brings it."""
    for host in hosts.values():
        tried = {(each.host, each.port): each for each in host.facts.tried}
        for reach in host.needs.reaches:
            seen = tried.get((reach.host, reach.port))
            if seen is None or seen.outcome == "open" or not _should_answer(reach, hosts):
                continue
            if seen.outcome == "unresolved":
                do = f"mend /etc/resolv.conf there; try: getent hosts {reach.host}"
                yield host.warning("dns", f"cannot resolve {reach.host}, for {reach.what}", do)
            else:
                do = "is a firewall or a network between? this run goes on, and stops where it needs it"
                yield host.warning("reach", f"{reach.what}: {told(seen)}", do)


def _should_answer(reach: Reach, hosts: Mapping[str, Subject]) -> bool:
    """What is on no member answers always; what is on one, where something listens there now."""
    if not reach.member:
        return True
    there = hosts.get(reach.member)
    return there is None or any(
        each.port == reach.port and overlap(each.address, reach.host) for each in there.facts.listeners
    )


def images(hosts: Mapping[str, Subject], engine: str) -> Iterator[Finding]:
    """Hosts that need an image of this machine, whose own engine (what is wrong with it) cannot give it."""
    for host in hosts.values() if engine else ():
        built = [image.ref for image in host.needs.images if image.is_built and image.ref in host.missing_images]
        if built:
            what = f"lacks {', '.join(map(short, built))}, and Docker here cannot make it: {engine}"
            yield host.error("image", what, "start Docker on this machine, or deploy from one that has it")
