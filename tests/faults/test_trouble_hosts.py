"""Services in trouble, on one real host: a lock that blocks, a database that takes no writes, a save that fails, a
certificate that does not fit, leftovers of data that has changed, and a controller in the C locale."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import testinfra
from pyinfra import host as current_host

from roles.redis import verify as redis_verify
from slipway.facts.database import OpenSessionsFact, Session, TakesWritesFact
from slipway.lab.lab import Lab
from tests.faults.one_host import HOST, bring, context, shell
from tests.faults.test_hostile_data import ROLES
from tests.project import new_project
from tests.roles.convergence import converge
from tests.snapshot import difference, snapshot

pytestmark = pytest.mark.hosts


def until(question: str) -> str:
    """Words of a shell that waits for it, a minute at most: milliseconds on an idle machine."""
    return f"cd /; i=0; until {question}; do i=$((i + 1)); [ $i -lt 300 ] || exit 1; sleep 0.2; done"


# --- Postgres


@pytest.fixture(scope="module")
def shop(lab: Lab) -> str:
    """A database with a table."""
    data = {"roles": [{"name": "shop"}], "databases": [{"name": "shop", "owner": "shop"}]}
    assert bring(lab, ROLES["postgres"], data).error == ""
    sql(lab, "CREATE TABLE IF NOT EXISTS orders (id int); INSERT INTO orders VALUES (1)")
    return "shop"


def sql(lab: Lab, query: str) -> str:
    return shell(lab, 'cd /; runuser -u postgres -- env PGDATABASE=shop psql -XAtqc "$1"', query)


def fact(lab: Lab, kind: Any) -> Any:
    found: list[Any] = []
    converge(lab, [HOST], lambda name: found.append(current_host.get_fact(kind, database="shop", port=5432)))
    return found[0]


HELD = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE 'UPDATE%'"


def test_whoever_keeps_a_lock_is_told_with_the_statement(lab: Lab, shop: str) -> None:
    """A transaction that somebody left open: its process id, whose it is, on which table, and what it said last."""
    assert fact(lab, OpenSessionsFact) == ()
    hold = "(echo 'BEGIN; UPDATE orders SET id = 2;'; sleep 300) | runuser -u postgres -- env PGDATABASE=shop psql -Xq"
    shell(lab, f'cd /; nohup setsid sh -c "{hold}" > /dev/null 2>&1 &')
    shell(lab, until(f'runuser -u postgres -- psql -XAtqc "{HELD}" | grep -qx 1'))
    (session,) = fact(lab, OpenSessionsFact)
    assert isinstance(session, Session)
    assert (session.who, session.whence, session.state) == ("postgres", "socket", "idle in transaction")
    assert session.tables == "orders" and "UPDATE orders" in session.query
    sql(lab, f"SELECT pg_terminate_backend({session.pid})")
    shell(lab, until(f'runuser -u postgres -- psql -XAtqc "{HELD}" | grep -qx 0'))
    assert fact(lab, OpenSessionsFact) == ()


def test_a_database_that_takes_no_writes_is_known(lab: Lab, shop: str) -> None:
    """Read-only by its settings, and then no longer."""
    assert fact(lab, TakesWritesFact) == "off"
    write = "cd /; runuser -u postgres -- psql -XAtqc 'ALTER DATABASE shop SET default_transaction_read_only = $1'"
    shell(lab, write.replace("$1", "on"))
    assert fact(lab, TakesWritesFact) == "on"
    shell(lab, write.replace("$1", "off"))
    assert fact(lab, TakesWritesFact) == "off"


# --- Redis


def test_a_redis_that_cannot_save_is_told(lab: Lab) -> None:
    """Its last save failed, so that writes are refused: verify says so, and no longer once a save has worked."""
    data = {"protected_mode": False}
    assert bring(lab, ROLES["redis"], data).error == ""
    cli = 'REDISCLI_AUTH="$(cat /var/lib/slipway/secrets/redis-admin)" redis-cli --no-auth-warning ' \
        "-s /run/redis/redis-server.sock --user slipway "  # fmt: skip
    saved = until(f"{cli} INFO persistence | grep -q rdb_bgsave_in_progress:0")
    check = redis_verify.check_it_can_take_writes
    host, ctx = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(lab.ssh_config), sudo=True), context(lab)
    wanted = ROLES["redis"].wanted(data, ctx)
    check(host, wanted, ctx)
    # A directory in the way of the file that a save is renamed to: nobody's rights matter.
    shell(lab, f"cd /var/lib/redis; mv dump.rdb /root/ 2>/dev/null; mkdir dump.rdb; {cli} SET a b; {cli} SAVE || true; "
               f"{cli} BGSAVE; {saved}")  # fmt: skip
    try:
        with pytest.raises(AssertionError, match="the last save failed: writes are refused"):
            check(host, wanted, ctx)
    finally:
        shell(lab, f"rmdir /var/lib/redis/dump.rdb; {cli} BGSAVE; {saved}")
    check(host, wanted, ctx)


# --- nginx


def test_a_key_that_is_not_the_certificates_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    """nginx's own words and the files are in the error; the edge serves what it served."""
    site = {"name": "shop", "hosts": ["shop.test"], "routes": []}
    fine = {"self_signed": True, "extra_sites": [site], "listen": [lab.address(HOST)]}
    assert bring(lab, ROLES["nginx"], fine).error == ""
    before = shell(lab, "readlink /etc/nginx/slipway/current")
    pair(tmp_path, "a"), pair(tmp_path, "b")
    wrong = {"hosts": ["shop.test"], "certificate": str(tmp_path / "a.crt"), "key_file": str(tmp_path / "b.key")}
    error = bring(lab, ROLES["nginx"], {**fine, "certificates": [wrong]}).error
    assert "tls/shop.key" in error and "values mismatch" in error, error
    assert shell(lab, "readlink /etc/nginx/slipway/current") == before
    ask = 'curl -sk -o /dev/null -w "%{http_code}" --connect-to "::$1:" https://shop.test/'
    assert shell(lab, ask, lab.address(HOST)) == "404"
    assert bring(lab, ROLES["nginx"], fine).is_unchanged


def pair(folder: Path, name: str) -> None:
    key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        str(folder / f"{name}.key"),
    ]
    words = ["openssl", "req", "-x509", *key, "-subj", "/CN=shop.test", "-out", str(folder / f"{name}.crt")]
    subprocess.run(words, capture_output=True, check=True)


# --- what data no longer asks for


def test_what_leaves_the_data_leaves_the_host(lab: Lab) -> None:
    """Rotations, kernel settings, sites and snippets that are taken out of the data: as if they had never been."""
    base: dict[str, Any] = {"journald": {}}
    edge = {"self_signed": True, "https_port": None, "listen": [lab.address(HOST)]}
    assert bring(lab, ROLES["base"], base).error == "" and bring(lab, ROLES["nginx"], edge).error == ""
    before = state(lab)
    shell(lab, "echo mine > /etc/logrotate.d/mine")
    more = {"log_rotations": {"shop": {"paths": ["/var/log/shop.log"]}}, "sysctl": {"net.core.somaxconn": 2048}}
    sites = {"extra_sites": [{"name": "shop", "hosts": ["shop.test"], "routes": []}], "snippets": {"odd": "# odd"}}
    assert bring(lab, ROLES["base"], more).error == "" and bring(lab, ROLES["nginx"], {**edge, **sites}).error == ""
    assert state(lab) != before
    assert bring(lab, ROLES["base"], base).error == "" and bring(lab, ROLES["nginx"], edge).error == ""
    assert shell(lab, "cat /etc/logrotate.d/mine; rm /etc/logrotate.d/mine") == "mine"
    assert difference(before, state(lab)) == []


def state(lab: Lab) -> list[str]:
    """What is in force: everything but nginx's earlier trees, which are kept for a while."""
    live = shell(lab, "readlink /etc/nginx/slipway/current")
    kept = [line for line in snapshot(lab, HOST) if "/etc/nginx/slipway" not in line or live in line]
    # A directory's own time and the link's target apart, the tree's name says its whole content.
    return [line for line in kept if "package-lists" not in line]


# --- the C locale


def test_a_controller_in_the_c_locale_writes_the_same_bytes(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters of any language, in content and name; the second run, in another locale, changes nothing."""
    text = "Grüße, 世界\r\n\ufeffend"
    project = new_project(tmp_path, lab, HOST)
    project.write("deploy.py", f'''
        from slipway.ops import files
        files.put(name="Write", path="/root/ß-世界.txt", content={text!r})
        ''')  # fmt: skip
    for locale, changed in (("C", "changed"), ("C.UTF-8", "no change")):
        for name in ("LC_ALL", "LANG", "LANGUAGE"):
            monkeypatch.setenv(name, locale)
        monkeypatch.setenv("PYTHONUTF8", "0")
        done = project.slipway("deploy")
        assert done.returncode == 0, done.stderr
        assert changed in done.stderr, done.stderr
    assert lab.exec(HOST, ["cat", "/root/ß-世界.txt"]).stdout == text
