"""What must be true of an edge, asked on the edge itself."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from roles.nginx.data import Nginx, Site
from slipway.context import Context

WARN_DAYS = 14
"""A certificate with less than this left is told: time enough to get a new one by hand."""
CLOSED, TLS_REFUSED = (52, 56), 35
"""Exit codes of curl: closed or reset without an answer; the handshake failed."""


def check_nginx_runs(host: Any, data: Nginx, ctx: Context) -> None:
    """nginx is up and starts at boot."""
    service = host.service("nginx")
    assert service.is_running, "nginx does not run: journalctl -u nginx"
    assert service.is_enabled, "nginx does not start at boot"


def check_configuration_in_force(host: Any, data: Nginx, ctx: Context) -> None:
    """The running nginx works from the live tree, and a restart would accept it."""
    live = host.check_output("readlink -f /etc/nginx/slipway/current")
    assert _state(host)["tree"] == live, f"nginx runs an older configuration than {live}: systemctl reload nginx"
    tested = host.run("nginx -t -q")
    assert tested.rc == 0, tested.stderr


def check_listens_where_wanted(host: Any, data: Nginx, ctx: Context) -> None:
    """nginx listens on the wanted addresses and ports, and on no other."""
    ports = [data.http_port, *([data.https_port] if data.https_port else [])]
    wanted = {f"{_in_url(address)}:{port}" for address in data.listen for port in ports}
    if data.status_port:
        wanted.add(f"127.0.0.1:{data.status_port}")
    lines = host.check_output("ss -H -ltnp").splitlines()
    assert {line.split()[3] for line in lines if '"nginx"' in line} == wanted


def check_unknown_names_are_refused(host: Any, data: Nginx, ctx: Context) -> None:
    """A name that no site has gets no answer, and no handshake."""
    address = _in_url(data.listen[0])
    plain = host.run("curl -s --max-time 10 -H 'Host: unknown.invalid' %s", f"http://{address}:{data.http_port}/")
    assert plain.rc in CLOSED, plain.stdout
    if data.https_port:
        to = f"unknown.invalid:{data.https_port}:{address}"
        tls = host.run("curl -sk --max-time 10 --resolve %s %s", to, f"https://unknown.invalid:{data.https_port}/")
        assert tls.rc == TLS_REFUSED, tls.stdout


def check_sites_send_security_headers(host: Any, data: Nginx, ctx: Context) -> None:
    """Every site answers with every security header, whatever else it answers."""
    for site in data.all_sites:
        ask = "curl -sk --max-time 20 -o /dev/null -D - --resolve %s -H %s %s"
        answer = host.run(ask, *_request(data, site)).stdout
        names = {line.partition(":")[0].lower() for line in answer.splitlines()[1:]}
        missing = [name for name in data.security_headers if name.lower() not in names]
        assert not missing, f"{site.name} answers without {', '.join(missing)}:\n{answer}"


def check_certificates(host: Any, data: Nginx, ctx: Context) -> None:
    """Every site's certificate is for its names and lasts another two weeks."""
    for site in data.all_sites if data.https_port else []:
        for name in (each for each in site.hosts if not _is_address(each)):
            one = name.replace("*", "any")
            to = f"{_in_url(data.listen[0])}:{data.https_port}"
            pem = host.run("openssl s_client -connect %s -servername %s < /dev/null 2> /dev/null", to, one).stdout
            assert "BEGIN CERTIFICATE" in pem, f"no TLS for {one}"
            lasts = host.run(f"printf %s %s | openssl x509 -noout -enddate -checkend {WARN_DAYS * 86400}", "%s", pem)
            assert lasts.rc == 0, f"the certificate of {one} runs out: {lasts.stdout}"
            # A separate question: OpenSSL stops at the answer to -checkend.
            named = host.run("printf %s %s | openssl x509 -noout -checkhost %s", "%s", pem, one).stdout
            assert "does match" in named, f"the certificate of {one} is for other names"


def check_every_peer_is_known(host: Any, data: Nginx, ctx: Context) -> None:
    """The balancer has exactly the peers of each upstream."""
    found = {name: {peer["address"] for peer in each["peers"]} for name, each in _state(host)["upstreams"].items()}
    wanted = {
        name: {
            f"{_in_url(peer.host)}:{port}" for peer in upstream.peers for port in (peer.port, peer.second_port) if port
        }
        for name, upstream in data.all_upstreams.items()
    }
    assert found == wanted


def check_nobody_is_drained(host: Any, data: Nginx, ctx: Context) -> None:
    """No host is held out of the traffic."""
    drained = _state(host)["drained"]
    assert not drained, f"held out: {drained}; HINT: a rollout is under way, or: slipway-edge restore ADDRESS"


def _state(host: Any) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(host.check_output("/usr/local/sbin/slipway-edge state"))
    return state


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _request(data: Nginx, site: Site) -> tuple[str, str, str]:
    """For curl: where the site's first name is, the header that names it, and the URL."""
    name = site.hosts[0].replace("*", "any")
    path = site.routes[0].path if site.routes else "/"
    address = _in_url(data.listen[0])
    if data.https_port and not _is_address(name):
        return f"{name}:{data.https_port}:{address}", f"Host: {name}", f"https://{name}:{data.https_port}{path}"
    # A client does not name an address in its TLS handshake, so a site of that name answers over plain HTTP only.
    return f"unused.invalid:1:{address}", f"Host: {name}", f"http://{address}:{data.http_port}{path}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
