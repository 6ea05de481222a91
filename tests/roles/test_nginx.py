"""The role nginx: its data, what follows from the application, and the files that come of it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from roles.nginx import role
from roles.nginx.configuration import quoted, tree_files
from roles.nginx.data import Certificate, Nginx
from slipway import compose
from slipway.context import Context
from slipway.fleet import Fleet, Machine, Member
from slipway.ops.tree import HERE, TreeFile, packed, version_name
from slipway.problems import BadInput
from slipway.secrets import Secret, Secrets

DEBIAN_12 = Machine("debian", "12", "bookworm", "amd64", cpus=2, memory_mb=2048)
DEBIAN_13 = Machine("debian", "13", "trixie", "amd64", cpus=3, memory_mb=2048)
FLEET = Fleet(
    "test",
    (
        Member("edge1", "10.0.0.11", ("nginx",)),
        Member("worker1", "10.0.0.21", ("workers",)),
        Member("worker2", "10.0.0.22", ("workers",)),
    ),
)
APP = """
name: shop
services:
  api:
    image: api:1
    deploy: {replicas: 3}
    x-slipway:
      published_base: 21000
      ready: {path: /ready}
      edge:
        hosts: [shop.example, www.shop.example]
        port: 80
        balance: least_conn
        rate_limit: {requests: 5, burst: 2}
  live:
    image: live:1
    deploy: {mode: global}
    x-slipway:
      published_base: 22000
      ready: {path: /ready, port: 9000}
      edge: {hosts: [shop.example, www.shop.example], port: 81, paths: [/ws], websocket: true, read_timeout: 0.5}
  admin:
    image: admin:1
    x-slipway:
      published_base: 23000
      ready: {path: /ready}
      edge: {hosts: ['*.admin.example'], port: 82, strip_prefix: true, paths: [/a.b]}
  queue: {image: 'queue:1'}
"""


def context(stack: Any = None, machine: Machine = DEBIAN_13, secrets: dict[str, str] | None = None) -> Context:
    held = Secrets("test", (secrets or {}).get)
    return Context(FLEET.member("edge1"), FLEET, held, stack=stack, machine=machine)


def wanted(**fields: Any) -> Nginx:
    data = role.wanted(fields, context())
    assert isinstance(data, Nginx)
    return data


def texts(data: Nginx, ctx: Context | None = None) -> dict[str, str]:
    """Path to content of each file of the tree; a secret's too."""
    return {path: file.at("/here").decode() for path, file in tree_files(data, ctx or context()).items()}


@pytest.fixture
def shop(tmp_path: Path) -> Context:
    """Where an application with three services behind the edge is deployed."""
    (tmp_path / "compose.yaml").write_text(APP)
    return context(compose.load(tmp_path / "compose.yaml", variables={}))


# --- what follows from the application


def test_peers_are_the_replicas_of_each_host_in_order(shop: Context) -> None:
    """Three replicas on two hosts: two on the first, one on the second, each at its two ports; global is one each."""
    upstreams = role.derive(shop)["upstreams"]
    peers = {name: [tuple(peer.values()) for peer in each["peers"]] for name, each in upstreams.items()}
    assert peers == {
        "api": [("10.0.0.21", 21000, 21005), ("10.0.0.21", 21001, 21006), ("10.0.0.22", 21000, 21005)],
        "live": [("10.0.0.21", 22000, 22005), ("10.0.0.22", 22000, 22005)],
        "admin": [("10.0.0.21", 23000, 23005)],
    }
    assert upstreams["api"]["balance"] == "least_conn"


def test_names_with_the_same_routes_are_one_site(shop: Context) -> None:
    """Two services with the same names share a site; another name has its own."""
    sites = {site["name"]: site for site in role.derive(shop)["sites"]}
    assert list(sites) == ["shop.example", "_.admin.example"]
    assert sites["shop.example"]["hosts"] == ["shop.example", "www.shop.example"]
    assert [(route["path"], route["upstream"]) for route in sites["shop.example"]["routes"]] == [
        ("/", "api"),
        ("/ws", "live"),
    ]


def test_what_is_derived_is_valid_and_renders(shop: Context) -> None:
    """The application's edge section becomes a whole tree, WebSocket, limits and prefixes in it."""
    files = texts(role.wanted({}, shop), shop)
    assert "proxy_set_header Upgrade $http_upgrade;" in files["routes/shop.example-2.conf"]
    assert "proxy_read_timeout 1s;" in files["routes/shop.example-2.conf"]
    assert "limit_req zone=shop.example-1 burst=2 nodelay;" in files["routes/shop.example-1.conf"]
    assert "zone=shop.example-1:10m rate=5r/s;" in files["edge.conf"]
    assert r"rewrite (?s)^/a\.b/?(.*)$ /$1 break;" in files["sites/_.admin.example.conf"]
    api = json.loads(files["upstreams.json"])["api"]
    assert (api["admission"], api["peers"][0]) == (True, {"host": "10.0.0.21", "port": 21000, "second_port": 21005})


def test_a_peer_is_probed_where_it_says_that_it_is_ready(shop: Context) -> None:
    """The readiness path, where it is told on the edge's port; elsewhere a connection will do."""
    probes = {
        name: (each.get("probe_path"), each.get("probe_host")) for name, each in role.derive(shop)["upstreams"].items()
    }
    assert probes == {
        "api": ("/ready", "shop.example"),
        "live": (None, None),
        "admin": ("/ready", ""),
    }


def test_upstreams_by_hand_have_no_admission() -> None:
    """A rollout has no say in them, so every peer gets requests from the start."""
    files = texts(wanted(extra_upstreams=UPSTREAM, extra_sites=[SITE]))
    told = json.loads(files["upstreams.json"])["a"]
    assert (told["admission"], told["peers"]) == (False, [{"host": "10.0.0.1", "port": 80}])


def test_without_an_application_the_edge_listens_and_refuses() -> None:
    """No Compose file: no site, the private address, and the server that refuses every name."""
    data = wanted()
    assert (data.listen, data.all_sites) == (["10.0.0.11"], [])
    assert "ssl_reject_handshake on;" in texts(data)["edge.conf"]


# --- data

UPSTREAM = {"a": {"peers": [{"host": "10.0.0.1", "port": 80}]}}
SITE = {"name": "a", "hosts": ["a.example"], "routes": [{"upstream": "a"}]}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"sites": [{**SITE, "routes": [{"upstream": "b"}]}]}, "no upstream is called 'b'; known: a"),
        ({"sites": [SITE, SITE]}, "site a is given twice"),
        ({"sites": [SITE, {**SITE, "name": "b"}]}, "server name a.example is given twice"),
        ({"sites": [{**SITE, "routes": [{"path": "/x", "upstream": "a"}, {"path": "/x/", "upstream": "a"}]}]}, "twice"),
        ({"upstreams": UPSTREAM}, "is the application's"),
        ({"sites": [SITE], "self_signed": False}, "no certificate covers a.example"),
        ({"certificates": [{"hosts": ["a.example"]}]}, "give `certificate` with one of"),
        ({"certificates": [{"hosts": ["a.example"], "certificate": "a", "key_secret": "k", "key_file": "f"}]}, "give"),
        ({"certificates": [{"hosts": ["a.example"], "host_certificate": "/a"}]}, "give `certificate`"),
        ({"listen": ["edge1"]}, "does not appear to be an IPv4 or IPv6 address"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "has host bits set"),
        ({"worker_conections": 1}, "Extra inputs are not permitted"),
        ({"http_port": "80"}, "valid integer"),
    ],
)
def test_wrong_data_is_refused_with_what_to_do(fields: dict[str, Any], told: str) -> None:
    """Each contradiction is told before anything is rendered."""
    with pytest.raises(ValidationError, match=told):
        wanted(**{"extra_upstreams": UPSTREAM, **fields})


@pytest.mark.parametrize("hostile", ["a;b", "a b", "a{", "$(x)", "a\nb", "a\n", "a\0", "a'", 'a"', "a#", "a\\", "$uri"])
def test_hostile_strings_never_reach_the_configuration(hostile: str) -> None:
    """Names, paths, addresses and headers that nginx would read as more than a word are refused."""
    odd: list[dict[str, Any]] = [
        {"listen": [hostile]},
        {"extra_upstreams": {"a": {"probe_host": hostile}}},
        {"extra_upstreams": {hostile: {}}},
        {"extra_upstreams": {"a": {"peers": [{"host": hostile, "port": 1}]}}},
        {"extra_sites": [{**SITE, "name": hostile}]},
        {"extra_sites": [{**SITE, "hosts": [hostile]}]},
        {"extra_sites": [{**SITE, "routes": [{"path": f"/{hostile}", "upstream": "a"}]}]},
        {"snippets": {hostile: ""}},
        {"security_headers": {hostile: "x"}},
        {"trusted_proxies": [hostile]},
        {"acme_webroot": f"/{hostile}"},
    ]
    for fields in odd:
        with pytest.raises(ValidationError):
            wanted(**{"extra_upstreams": UPSTREAM, **fields})


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="$"), min_size=1))
def test_a_quoted_value_reads_back_as_itself(text: str) -> None:
    """Quotes and backslashes of a header's value neither end the word nor vanish."""
    word = quoted(text)
    inner = word[1:-1]
    assert (word[0], word[-1]) == ('"', '"')
    assert inner.replace('\\"', "").replace("\\\\", "").count('"') == 0
    assert inner.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\") == text


@pytest.mark.parametrize(
    ("name", "host", "covers"),
    [
        ("a.example", "a.example", True),
        ("*.example", "a.example", True),
        ("*.example", "b.a.example", False),
        ("*.example", "example", False),
        ("*.example", "*.example", True),
        ("a.example", "b.example", False),
    ],
)
def test_a_wildcard_covers_one_label(name: str, host: str, covers: bool) -> None:
    """As browsers read it."""
    certificate = Certificate(hosts=[name], host_certificate="/a", host_key="/b")
    assert certificate.covers(host) is covers


# --- files


def test_http2_is_said_as_this_nginx_says_it() -> None:
    """A word of `listen` on Debian 12, a directive of its own on 13; neither where it is off."""
    new, old = (texts(wanted(), context(machine=machine))["edge.conf"] for machine in (DEBIAN_13, DEBIAN_12))
    off = texts(wanted(http2=False))["edge.conf"]
    assert ("http2 on;" in new, "ssl http2" in new) == (True, False)
    assert ("http2 on;" in old, "listen 10.0.0.11:443 ssl http2 default_server;" in old) == (False, True)
    assert "http2" not in off
    assert "worker_processes 3;" in new


def test_a_key_is_secret_and_for_root_only() -> None:
    """The key of the controller's secrets: mode 600, and a Secret, so that no diff shows it."""
    certificate = {"hosts": ["a.example"], "certificate": "LICENSE", "key_secret": "tls_key"}
    data = wanted(extra_upstreams=UPSTREAM, extra_sites=[SITE], certificates=[certificate])
    files = tree_files(data, context(secrets={"tls_key": "-----KEY-----"}))
    assert isinstance(files["tls/a.key"].content, Secret)
    assert (files["tls/a.key"].mode, files["tls/a.crt"].mode) == ("600", "644")
    assert f"ssl_certificate_key {HERE}/tls/a.key;" in str(files["sites/a.conf"].content)


def test_a_certificate_that_is_not_there_is_told() -> None:
    """Before the first connection, with its path."""
    certificate = {"hosts": ["a.example"], "certificate": "tls/nowhere.crt", "key_file": "tls/nowhere.key"}
    data = wanted(extra_upstreams=UPSTREAM, extra_sites=[SITE], certificates=[certificate])
    with pytest.raises(BadInput, match=r"tls/nowhere.crt: No such file"):
        tree_files(data, context())


def test_ipv6_addresses_stand_in_brackets() -> None:
    """Or nginx would take the last group for a port."""
    assert "listen [fd00::1]:80 default_server;" in texts(wanted(listen=["fd00::1"]))["edge.conf"]


def test_plain_http_only() -> None:
    """Without a port for TLS there is no certificate, no redirect, no TLS server."""
    data = wanted(extra_upstreams=UPSTREAM, extra_sites=[SITE], https_port=None, self_signed=False)
    files = texts(data)
    assert "listen 10.0.0.11:80;" in files["sites/a.conf"]
    assert "308" not in files["sites/a.conf"]
    assert "ssl_certificate" not in files["sites/a.conf"]


def test_the_redirect_names_an_odd_port_and_leaves_challenges_alone() -> None:
    """Method, body and path are kept (308); an ACME client is answered over plain HTTP."""
    site = texts(wanted(extra_upstreams=UPSTREAM, extra_sites=[SITE], https_port=8443))["sites/a.conf"]
    assert "return 308 https://$host:8443$request_uri;" in site
    assert site.count("acme-challenge") == 1


# --- the staged tree


def test_the_same_files_are_the_same_version_and_any_difference_is_another() -> None:
    """Content, mode, path and a secret's value all count."""
    base = {"a": TreeFile("1"), "b/c": TreeFile(Secret("s"), "600")}
    names = {
        version_name(files)
        for files in (
            base,
            dict(reversed(base.items())),
            {**base, "a": TreeFile("2")},
            {**base, "a": TreeFile("1", "600")},
            {**base, "d": TreeFile("1")},
            {**base, "b/c": TreeFile(Secret("t"), "600")},
        )
    }
    assert len(names) == 5


def test_a_version_edited_by_hand_is_staged_under_another_name() -> None:
    """The live directory is never written to, even where the wanted content has its name already."""
    files = {"a": TreeFile("1")}
    name = version_name(files)
    assert version_name(files, "other") == name
    assert [version_name(files, name), version_name(files, f"{name}.1")] == [f"{name}.1", f"{name}.2"]


def test_an_archive_holds_modes_paths_and_the_versions_own_path() -> None:
    """The same bytes every time, owned by root, directories before what lies in them."""
    files = {"b/c/d": TreeFile(f"include {HERE}/x;", "600"), "a": TreeFile(b"\xff")}
    first = packed(files, "/etc/t/1")
    assert first == packed(dict(reversed(files.items())), "/etc/t/1")
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert [(entry.name, oct(entry.mode), entry.uid) for entry in archive] == [
            ("b", "0o755", 0),
            ("b/c", "0o755", 0),
            ("a", "0o644", 0),
            ("b/c/d", "0o600", 0),
        ]
        read = archive.extractfile("b/c/d")
        assert read is not None
        assert read.read() == b"include /etc/t/1/x;"
