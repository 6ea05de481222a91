"""Disk, inodes and memory: whether what the run brings has room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.facts.preflight import Space
from slipway.needs import Packages, Room
from slipway.preflight.findings import Finding
from slipway.preflight.subject import Subject

UNKNOWN_IMAGE_MIB = 1024
"""For an image whose size nobody here knows, with room for its layers as they are unpacked."""
IMAGE_INODES = 20_000
"""A Python or Node.js image with its libraries has 10 000 to 20 000 files."""
DOCKER_ROOT = "/var/lib/docker"
LISTS = Room("/var/lib/apt/lists", 150, "package lists", 100)
"""Debian's with their updates: about 100 MiB while they are unpacked."""
WARN_SHARE = 0.05
"""A file system with less than this left is told, even where this run has room."""
WARN_MIB = 1024
"""Unless this much is left: 5 % of a large disk is plenty."""
WARN_MEMORY_MIB = 100
"""With less than this available the kernel is about to kill something."""
FREE_IT = "free some ({}), or give it a larger disk"
WHERE_FROM = {DOCKER_ROOT: "docker system df; slipway-prune", "/var": "journalctl --vacuum-size=200M; apt-get clean"}
"""Where room is usually found, by path."""


@dataclass(frozen=True)
class Load:
    """What comes to one file system."""

    space: Space
    rooms: tuple[Room, ...]

    @property
    def mib(self) -> int:
        return sum(room.mib for room in self.rooms)

    @property
    def inodes(self) -> int:
        return sum(room.inodes for room in self.rooms)

    @property
    def told(self) -> str:
        """The largest parts of what comes."""
        largest = sorted((room for room in self.rooms if room.mib), key=lambda room: -room.mib)[:4]
        return ", ".join(f"{room.what} {size(room.mib)}" for room in largest)


def rooms_of(host: Subject) -> list[Room]:
    """All that comes to the host, as far as it is not there yet."""
    missing = set(host.missing_packages)
    packages = [each for each in host.needs.packages if missing & set(each.names)]
    return [
        *host.needs.rooms,
        *([LISTS] if packages else []),
        *(_room_of_packages(each) for each in packages),
        *(_room_of_image(host, ref) for ref in host.missing_images),
    ]


def _room_of_packages(packages: Packages) -> Room:
    return Room("/usr", packages.mib, f"packages of {packages.what}", packages.inodes)


def _room_of_image(host: Subject, ref: str) -> Room:
    known = host.image_mib.get(ref)
    return Room(DOCKER_ROOT, known or UNKNOWN_IMAGE_MIB, f"image {short(ref)}", IMAGE_INODES)


def short(ref: str) -> str:
    """The reference without most of a digest."""
    name, _, digest = ref.partition("@sha256:")
    return f"{name}@{digest[:12]}" if digest else name


def paths_of(rooms: list[Room]) -> list[str]:
    """Where it is looked for room: the places themselves, and those whose being full stops anything."""
    always = ["/", "/var", "/tmp", "/usr", LISTS.path]  # noqa: S108 - it is looked at, nothing is written there
    return list(dict.fromkeys([*always, *(room.path for room in rooms)]))


def disk(host: Subject) -> Iterator[Finding]:
    """What is read-only, and what is too small for what comes."""
    spaces = {space.path: space for space in host.facts.spaces}
    if not spaces:
        yield host.warning("disk", "its file systems could not be looked at", "try there: df /")
        return
    closed = [space for space in spaces.values() if not space.is_writable]
    for mount in dict.fromkeys(space.mount for space in closed):
        paths = ", ".join(space.path for space in closed if space.mount == mount)
        do = "see `dmesg` there for why; once the disk is sound: mount -o remount,rw " + mount
        yield host.error("disk", f"{mount} is read-only ({paths})", do)
    loads = _loads(host, spaces)
    found = [finding for load in loads if load.space.is_writable for finding in _too_small(host, load)]
    yield from found
    if not found and not closed:
        least = min(loads, key=lambda load: load.space.free_mib - load.mib).space
        yield host.fine("disk", f"{size(least.free_mib)} free on {least.mount}")


def _loads(host: Subject, spaces: dict[str, Space]) -> list[Load]:
    """What comes to each mount."""
    coming: dict[str, list[Room]] = {space.mount: [] for space in spaces.values()}
    for room in rooms_of(host):
        if room.path in spaces:
            coming[spaces[room.path].mount].append(room)
    first = {space.mount: space for space in reversed(spaces.values())}
    return [Load(first[mount], tuple(rooms)) for mount, rooms in coming.items()]


def _too_small(host: Subject, load: Load) -> Iterator[Finding]:
    space, do = load.space, FREE_IT.format(_where_from(load))
    if space.free_mib < max(load.mib, 1):
        told = f": {load.told}" if load.told else ""
        what = f"{space.mount} has {size(space.free_mib)} free, {size(load.mib - space.free_mib)} too little for this"
        yield host.error("disk", f"{what} run{told}", do)
    elif space.free_mib < min(WARN_MIB, WARN_SHARE * space.size_mib) + load.mib:
        what = f"{space.mount} has {size(space.free_mib)} free of {size(space.size_mib)}"
        yield host.warning("disk", f"{what}; this run brings {size(load.mib)}", do)
    if space.inodes and space.free_inodes < max(load.inodes, 1):
        what = f"{space.mount} has {space.free_inodes} inodes free, this run needs about {load.inodes}"
        yield host.error("disk", what, "find what has so many small files there: du --inodes -x -d 3 " + space.mount)


def _where_from(load: Load) -> str:
    paths = [room.path for room in load.rooms] + [load.space.mount]
    known = [advice for path, advice in WHERE_FROM.items() if any(f"{each}/".startswith(f"{path}/") for each in paths)]
    return "; ".join(known) or f"du -x -d 2 {load.space.mount}"


def size(mib: int) -> str:
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{max(mib, 0)} MiB"


def memory(host: Subject) -> Iterator[Finding]:
    """Whether what services may take together is there, and whether anything is left now."""
    total, available = host.machine.memory_mb, host.facts.memory_mib.get("available")
    taken = sum(each.mib for each in host.needs.memory)
    if taken > total:
        parts = ", ".join(f"{each.what} {size(each.mib)}" for each in sorted(host.needs.memory, key=lambda m: -m.mib))
        what = f"services may take {size(taken)} together, the host has {size(total)}: {parts}"
        yield host.warning("memory", what, "lower their limits, move some of them, or give it more memory")
    if available is None:
        yield host.warning("memory", "it could not be told how much is free", "see there: cat /proc/meminfo")
    elif available < WARN_MEMORY_MIB:
        what = f"only {size(available)} of {size(total)} are available"
        yield host.warning("memory", what, "see what takes it: ps -eo rss,pid,args --sort=-rss | head")
    elif taken <= total:
        yield host.fine("memory", f"{size(available)} available")
