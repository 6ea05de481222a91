"""What is wanted of each host: written once, brought by every contestant in its own words. Data only.

It imports nothing of the engine: stock pyinfra's deploy file reads it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Directory:
    """A directory."""

    path: str
    mode: str = "755"
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class File:
    """A file whose content is the same on every host."""

    path: str
    content: str
    mode: str = "644"
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class Template:
    """A file that each host gets with its own name in it: SITE with these variables and `host_name`."""

    path: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "644"
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True)
class Absent:
    """Nothing may be there."""

    path: str


@dataclass(frozen=True)
class User:
    """A person's account with these supplementary groups and no others."""

    name: str
    uid: int
    comment: str
    groups: tuple[str, ...]
    shell: str = "/bin/bash"

    @property
    def home(self) -> str:
        return f"/home/{self.name}"


@dataclass(frozen=True)
class Packages:
    """Debian packages that are there. The image has them: what a mirror takes is nobody's speed."""

    names: tuple[str, ...]


Resource = Directory | File | Template | Link | Absent | User | Packages

SITE_NAME = "site.conf.j2"
# No block on a line of its own: the three tools set Jinja up differently for the line's end.
SITE = """\
# {{ host_name }}: {{ site }}
upstream {{ site }} { server 127.0.0.1:{{ port }} max_fails=2 fail_timeout=5s; keepalive 16; }
server {
    listen 80;
    server_name {{ site }}.example.org{% for alias in aliases %} {{ alias }}{% endfor %};
    access_log /var/log/bench/{{ site }}.log;
    client_max_body_size 8m;
    location / {
        proxy_pass http://{{ site }};
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Served-By {{ host_name }};
        proxy_connect_timeout 2s;
        proxy_read_timeout 30s;
    }
}
"""

OWN_PLACES = ("/srv/bench", "/etc/bench", "/var/log/bench", "/var/cache/bench")
"""Directories that are nothing but ours: a wiped host has none of them."""
_INNER = ("releases", "shared", "shared/uploads", "shared/sockets", "backup", "run")
_SITES = 14
_SETTINGS = {
    "limits": "nofile 65536\nnproc 4096\n",
    "retention": "days 30\nkeep 7\n",
    "mail": "from bench@example.org\nrelay 192.0.2.25\n",
    "proxy": "http http://192.0.2.80:3128\nno_proxy localhost\n",
    "alerts": "page yes\nquiet 22-06\n",
    "banner": "Only for those who may.\n",
}
_SYSTEM = {
    "/etc/sysctl.d/60-bench.conf": "net.core.somaxconn = 1024\nvm.swappiness = 10\nfs.file-max = 200000\n",
    "/etc/cron.d/bench-clean": "17 4 * * * root find /var/cache/bench -type f -mtime +7 -delete\n",
    "/etc/cron.d/bench-report": "*/10 * * * * root touch /srv/bench/run/reported\n",
    "/etc/logrotate.d/bench": "/var/log/bench/*.log {\n  weekly\n  rotate 8\n  compress\n  missingok\n}\n",
    "/etc/profile.d/bench.sh": "export BENCH_HOME=/srv/bench\n",
}
_PEOPLE = ("ada", "grace", "edsger", "barbara")


def _site(number: int) -> Template:
    name = f"site{number:02}"
    return Template(
        f"/etc/bench/sites/{name}.conf",
        {"site": name, "port": 8000 + number, "aliases": [f"www.{name}.example.org", f"{name}.example.net"]},
    )


RESOURCES: tuple[Resource, ...] = (
    Packages(("ca-certificates", "iproute2", "openssh-server", "sudo")),
    *(User(name, 3000 + n, f"{name.title()} of the bench", ("adm", "games")) for n, name in enumerate(_PEOPLE)),
    *(Directory(path) for path in ("/etc/cron.d", "/etc/logrotate.d", *OWN_PLACES, "/etc/bench/sites")),
    *(Directory(f"/srv/bench/{name}", mode="750", owner="ada", group="adm") for name in _INNER),
    *(File(f"/etc/bench/{name}.conf", content, mode="640") for name, content in _SETTINGS.items()),
    *(File(path, content) for path, content in _SYSTEM.items()),
    *(_site(number) for number in range(1, _SITES + 1)),
    Link("/srv/bench/current", "/srv/bench/releases"),
    Link("/srv/bench/sites", "/etc/bench/sites"),
    Link("/srv/bench/log", "/var/log/bench"),
    Absent("/etc/bench/old.conf"),
    Absent("/srv/bench/maintenance"),
)
"""In the order in which they are brought."""
