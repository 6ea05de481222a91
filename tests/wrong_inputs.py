"""Wrong inputs, one mistake each: what is changed in a project that is right, and what is to be said of it."""

# ruff: noqa: E501, S104 - a table reads by its lines, one mistake in each; an address of all is one of them
# fmt: off

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.wrong_project import CANARY, WrongProject, bringing

STACK, FLEET, SECRETS = "stacks/demo/compose.yaml", "inventories/fleet.py", "secrets.yaml"
WORKERS = "worker1, worker2, worker3: "
NOT_ASKED = ", ".join(["edge1", "worker1", "worker2", "worker3", "db1", "cache1"]) + ": "


@dataclass(frozen=True)
class Case:
    """One mistake, and the one problem that it is."""

    name: str
    change: Callable[[WrongProject], None]
    where: str
    what: str
    hint: str
    limit: tuple[str, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)


def nobody(project: WrongProject) -> None:
    """Nothing is changed: the mistake is on the command line."""


def wrong_data(group: str, role: str, name: str, data: str, where: str, what: str, hint: str) -> Case:
    """Group data of one role: `where` without its hosts."""
    hosts = {"all": NOT_ASKED, "workers": WORKERS, "nginx": "edge1: ", "postgres": "db1: ", "redis": "cache1: "}[group]

    def change(project: WrongProject) -> None:
        project.write("deploy.py", bringing(group, role.partition(".")[0]))
        project.append(f"group_data/{group}.py", f"{role.partition('.')[0]} = {data}\n")

    return Case(f"{role}: {name}", change, f"{hosts}{where}", what, hint)


def edited(name: str, file: str, old: str, new: str, where: str, what: str, hint: str) -> Case:
    return Case(name, lambda project: project.edit(file, old, new), where, what, hint)


def deploying(name: str, old: str, new: str, where: str, what: str, hint: str, file: str = "deploy.py") -> Case:
    """The same, with the project's own deploy.py."""

    def change(project: WrongProject) -> None:
        project.whole_deploy()
        project.edit(file, old, new)

    return Case(name, change, where, what, hint)


def written(name: str, file: str, text: str | bytes, where: str, what: str, hint: str) -> Case:
    return Case(name, lambda project: project.write(file, text), where, what, hint)


def _app_data(project: WrongProject) -> None:
    project.whole_deploy()
    project.write("group_data/workers.py", 'app = {"keep_releases": 0}\n')


DATA = [
    wrong_data("workers", "docker", "string for a bool", '{"live_restore": "no"}', "docker.live_restore", "must be a valid boolean (got 'no')", "write True or False, without quotes (in group_data/workers.py)"),
    wrong_data("workers", "docker", "unknown key", '{"log_levle": "info"}', "docker.log_levle", "unknown key", "did you mean 'log_level'?"),
    wrong_data("workers", "docker", "unknown key within", '{"prune": {"enabeld": True}}', "docker.prune.enabeld", "unknown key", "did you mean 'enabled'?"),
    wrong_data("workers", "docker", "no such choice", '{"log_level": "wran"}', "docker.log_level", "(got 'wran')", "did you mean 'warn'?"),
    wrong_data("workers", "docker", "out of range", '{"mtu": 100}', "docker.mtu", "must be greater than or equal to 576 (got 100)", "group_data/workers.py"),
    wrong_data("workers", "docker", "no address", '{"dns": ["10.0.0.300"]}', "docker.dns.0", "does not appear to be an IPv4 or IPv6 address", "group_data/workers.py"),
    wrong_data("workers", "docker", "a list for a text", '{"data_root": ["/srv"]}', "docker.data_root", "must be a valid string (got a list)", "write text, in quotes"),
    wrong_data("all", "base", "number as text", '{"apt_lock_seconds": "60"}', "base.apt_lock_seconds", "must be a valid integer (got '60')", "without quotes"),
    wrong_data("all", "base", "unknown zone", '{"timezone": "Europe/Berln"}', "base.timezone", "no zone of the tz database", "group_data/all.py"),
    wrong_data("all", "base", "unknown key of a list's item", '{"users": [{"nmae": "ada"}]}', "base.users.0.nmae", "unknown key", "did you mean 'name'?"),
    wrong_data("all", "base", "our own account absent", '{"absent_users": ["ops"]}', "base.absent_users", "names 'ops', who Slipway logs in as", "let the inventory log in as somebody else first"),
    wrong_data("all", "base", "our own account without keys", '{"users": [{"name": "ops", "authorized_keys": []}]}', "base.users", "leave 'ops' no key, who Slipway logs in as", "name its keys"),
    wrong_data("all", "base", "our own account without shell", '{"users": [{"name": "ops", "shell": "/usr/sbin/nologin"}]}', "base.users", "give 'ops' no shell, who Slipway logs in as", "let the inventory log in as somebody else first"),
    wrong_data("all", "ssh", "not our account", '{"enabled": True, "allow_users": ["ada", "op"]}', "ssh.allow_users", "lacks 'ops', who Slipway logs in as", "add 'ops'"),
    wrong_data("all", "ssh", "not our port", '{"enabled": True, "ports": [2222]}', "ssh.ports", "lacks 22, which the inventory connects to", "add 22"),
    wrong_data("all", "ssh", "a field among the settings", '{"settings": {"allowusers": "ada"}}', "ssh.settings", "'allowusers' does not belong here: say it in `allow_users`", "group_data/all.py"),
    wrong_data("all", "firewall", "no network", '{"ssh_from": ["10.0.0.1/8"]}', "firewall.ssh_from.0", "10.0.0.1/8 has host bits set", "group_data/all.py"),
    wrong_data("all", "base", "contradiction", '{"packages": ["curl"], "absent_packages": ["curl"]}', "base", "both wanted and absent", "group_data/all.py"),
    wrong_data("all", "base", "hostile package name", '{"packages": ["curl; rm -rf /"]}', "base.packages.0", "must match pattern", "group_data/all.py"),
    wrong_data("postgres", "postgres", "too many", '{"max_connections": 10**6}', "postgres.max_connections", "less than or equal to 10000", "group_data/postgres.py"),
    wrong_data("postgres", "postgres", "nobody owns it", '{"databases": [{"name": "shop", "owner": "shpo"}]}', "postgres", "is owned by 'shpo'", "group_data/postgres.py"),
    wrong_data("postgres", "postgres", "a setting of the role's own", '{"settings": {"port": "1"}}', "postgres.settings", "use the field port", "group_data/postgres.py"),
    wrong_data("redis", "redis", "no such policy", '{"maxmemory_policy": "allkeys"}', "redis.maxmemory_policy", "(got 'allkeys')", "did you mean"),
    wrong_data("redis", "redis", "a password for its name", '{"password": "hunter2 hunter2!"}', "redis.password", "must match pattern", "group_data/redis.py"),
    wrong_data("nginx", "nginx", "no port", '{"http_port": 70000}', "nginx.http_port", "less than or equal to 65535 (got 70000)", "group_data/nginx.py"),
    wrong_data("nginx", "nginx", "a route to nowhere", '{"extra_sites": [{"name": "x", "hosts": ["x.test"], "routes": [{"upstream": "apo"}]}]}', "nginx", "no upstream is called 'apo'; did you mean 'api'?", "group_data/nginx.py"),
    Case("app: below its range", _app_data, f"{WORKERS}app.keep_releases", "greater than or equal to 1 (got 0)", "group_data/workers.py"),
]

NAMES = [
    written("role's data no dict", "group_data/workers.py", 'docker = "live_restore"\n', "group_data/workers.py: docker", "is a str, not a dict of fields", "write docker = {...}"),
    written("misspelt role", "group_data/workers.py", 'dokcer = {"mtu": 1400}\n', "group_data/workers.py: dokcer", "no role takes data of this name", "did you mean 'docker'?"),
    edited("unknown data of a host", FLEET, '"192.0.2.31", ', '"192.0.2.31", "colour": "blue", ', f"db1: {FLEET}: colour", "no role takes data", "data of your own begins with x_"),
    written("a group's file with the wrong name", "group_data/worker.py", "docker = {}\n", "group_data/worker.py", "nobody reads it", "did you mean 'workers'?"),
    Case("--data without a role", nobody, "--data: doker", "no role takes data", "did you mean 'docker'?", data={"doker": {}}),
    Case("--data that is no dict", nobody, "--data: docker", "is a int, not a dict of fields", "write docker = {...}", data={"docker": 5}),
    Case("--limit", nobody, "--limit wrokers", "no host or group is called that", "did you mean 'workers'?", limit=("wrokers",)),
    written("stack's name", "group_data/all.py", 'stack = "dmeo"\n', "group_data/all.py: stack", "stacks/dmeo/compose.yaml does not exist", "did you mean 'demo'?"),
    written("stack's type", "group_data/all.py", "stack = 5\n", "group_data/all.py: stack", "is a int, not text", 'write stack = "..."'),
    written("stack that differs", "group_data/redis.py", 'stack = "other"\n', "group_data/all.py: stack, group_data/redis.py: stack", "differs between hosts", "set it in one place"),
    written("variable's type", "group_data/redis.py", 'variables = {"PORT": 80}\n', "group_data/redis.py: variables", "'PORT' is a int, not text", 'write {"PORT": "..."}'),
]

PYTHON = [
    written("syntax of group data", "group_data/workers.py", "docker = {\n", "group_data/workers.py:1", "SyntaxError", "mend the line"),
    written("undefined name in group data", "group_data/workers.py", "\ndocker = LIMITS\n", "group_data/workers.py:2", "NameError: name 'LIMITS' is not defined", "mend the line"),
    written("syntax of the inventory", FLEET, "web = [\n    'a'\n", f"{FLEET}:1", "SyntaxError: '[' was never closed", "mend the line"),
    written("undefined name in the inventory", FLEET, "\nweb = hosts\n", f"{FLEET}:2", "NameError", "mend the line"),
    written("a merge left in group data", "group_data/workers.py", "<<<<<<< HEAD\nx_a = 1\n=======\nx_a = 2\n>>>>>>> b\n", "group_data/workers.py:1", "in the middle of a merge", "take one side"),
    written("bytes that are no text", "group_data/workers.py", b"x_a = '\xff'\n", "group_data/workers.py:1", "SyntaxError", "mend the line"),
    written("a NUL in group data", "group_data/workers.py", "x_a = '\0'\n", "group_data/workers.py:1", "null bytes", "mend the line"),
    deploying("unknown role in deploy.py", "from roles import app,", "from roles import appp,", "deploy.py:3", "cannot import name 'appp'", "did you mean 'app'?"),
    deploying("exception in deploy.py", "converge(\"Edges\"", "1 / 0\nconverge(\"Edges\"", "deploy.py:16", "ZeroDivisionError", "mend the line"),
    deploying("unknown keyword in deploy.py", '{"workers": app}, through', '{"workers": app}, trough', "deploy.py:20", "unexpected keyword argument 'trough'", "mend the line"),
    deploying("no role in deploy.py", '"workers": docker', '"workers": "docker"', "deploy.py:15", "what 'workers' is to get is no role", "mend the line"),
    deploying("syntax of deploy.py", 'converge("Edges"', 'converge "Edges"', "deploy.py:16", "SyntaxError", "mend the line"),
    deploying("two stages of one name", '"Edges"', '"Services"', "deploy.py: 'Services'", "two stages have this name", "rename one"),
    deploying("unknown group in deploy.py", '{"nginx": nginx}', '{"ngnix": nginx}', "deploy.py: 'Edges'", "no host is in a group called 'ngnix'", "did you mean 'nginx'?"),
    deploying("unknown edges in deploy.py", 'edges = {"nginx"', 'edges = {"ngnix"', "deploy.py: 'Services'", "no host is in a group called 'ngnix'", "did you mean 'nginx'?"),
    deploying("a service that nothing runs", "      group: workers\n  db", "      group: redis\n  db", "stack demo: scheduler", "no stage brings the role app to its group 'redis'", "in deploy.py", STACK),
    deploying("a native service that nothing runs", ', "redis": redis', "", "stack demo: cache", "no stage brings the role redis to its group 'redis'", "add 'redis': redis in deploy.py"),
]

HOSTS = [
    edited("host twice in a group", FLEET, '    ("worker2"', '    ("worker1", {"address": "192.0.2.21", **_login}),\n    ("worker2"', f"{FLEET}: workers", "host 'worker1' is listed twice", "list it once"),
    edited("two spellings of a host", FLEET, '("worker2", {"address": "192.0.2.22"', '("Worker1", {"address": "192.0.2.21"', f"{FLEET}: workers", "host 'Worker1' and 'worker1' in workers differ only in case", "one spelling"),
    edited("two names for an address", FLEET, "192.0.2.22", "192.0.2.21", FLEET, "worker1 and worker2 have the same address 192.0.2.21", "deployed twice"),
    edited("two names for one door", FLEET, '"192.0.2.22", ', '"192.0.2.22", "ssh_hostname": "worker1", ', FLEET, "SSH reaches worker1 and worker2 at the same worker1", "deployed twice"),
    edited("other data in another group", FLEET, 'redis = [("cache1", {"address": "192.0.2.41", **_login})]', 'redis = [("cache1", {"address": "192.0.2.41"}), ("db1", {"address": "192.0.2.32"})]', f"{FLEET}: redis", "host 'db1' has other data than in postgres", "write a host's data once"),
    edited("no address", FLEET, '{"address": "192.0.2.31", **_login}', "_login", f"db1: {FLEET}", "'db1' is no IP address to bind services to", "give the host its private address"),
    edited("not an address", FLEET, "192.0.2.31", "192.0.2.310", f"db1: {FLEET}", "'192.0.2.310' is no IP address", "give the host its private address"),
    edited("every address", FLEET, "192.0.2.31", "0.0.0.0", f"db1: {FLEET}", "'0.0.0.0' is no IP address", "give the host its private address"),
    written("no hosts", FLEET, "workers = []\n", FLEET, "has no hosts", "write at least one group"),
    edited("data that is no dict", FLEET, '("db1", {"address": "192.0.2.31", **_login})', '("db1", "192.0.2.31")', f"{FLEET}: postgres", "'db1' is neither a host name nor (name, data)", "write web ="),
    edited("a number for a host", FLEET, '("db1", {"address": "192.0.2.31", **_login})', "42", f"{FLEET}: postgres", "42 is neither a host name", "write web ="),
    edited("a blank in a name", FLEET, '"db1"', '"db 1"', f"{FLEET}: postgres", "'db 1' cannot be a host's name", "write web ="),
    edited("a tuple of hosts", FLEET, 'postgres = [("db1", {"address": "192.0.2.31", **_login})]', 'postgres = ("db1", "db2")', f"{FLEET}: postgres", "a tuple is taken for (list of hosts, data)", "write web ="),
    deploying("a group that is no list", 'nginx = [("edge1", {"address": "192.0.2.11", **_login})]', 'nginx = "edge1"', "deploy.py: 'Services'", "nginx is a str in the inventory", "write nginx = [...] there", FLEET),
    edited("port as text", FLEET, '"ssh_user": "ops"', '"ssh_user": "ops", "ssh_port": "22"', f"{NOT_ASKED}{FLEET}: ssh_port", "str is not an instance of int", "give it in that type"),
    edited("sudo as text", FLEET, '"_sudo": True', '"_sudo": "no"', f"{NOT_ASKED}{FLEET}: _sudo", "str is not an instance of bool", "give it in that type"),
    edited("unknown connector", FLEET, '("db1", {"address": "192.0.2.31", **_login})', '"@dokcer/db1"', FLEET, "Invalid connector: dokcer", "connectors that exist"),
]


def _mode(project: WrongProject) -> None:
    (project.path / SECRETS).chmod(0o644)


def _absent(project: WrongProject) -> None:
    (project.path / SECRETS).unlink()


SOURCE = "group_data/fleet.py: secrets"
HELD = f"secrets (file {SECRETS})"
SESSION = "session_key: "


def _session(name: str, value: str, what: str) -> Case:
    def change(project: WrongProject) -> None:
        lines = (project.path / SECRETS).read_text().splitlines(keepends=True)
        project.write(SECRETS, "".join(line for line in lines if SESSION not in line) + value)

    return Case(name, change, HELD, f"'session_key' {what}", "write `session_key: ...` in secrets.yaml; needed by api")


SECRET = [
    Case("secrets file missing", _absent, SOURCE, "secrets.yaml does not exist", "create it"),
    Case("secrets file readable by all", _mode, SOURCE, "can be read by others (mode 0644)", "chmod 600 secrets.yaml"),
    written("secrets file no YAML", SECRETS, "a: canary-4711-Zm9v\n b: [\n", SOURCE, "secrets.yaml:2 is not valid YAML", "each line reads"),
    written("secrets file a list", SECRETS, "- canary-4711-Zm9v\n", SOURCE, "must hold `name: value` lines", "one secret a line"),
    written("secrets file in a merge", SECRETS, "a: b\n<<<<<<< HEAD\nc: canary-4711-Zm9v\n", SOURCE, "secrets.yaml:2 is in the middle of a merge", "take one side"),
    written("secrets file no text", SECRETS, b"a: \xff\n", SOURCE, "is not UTF-8", "save it as UTF-8"),
    written("a secret twice", SECRETS, "a: 1\nb: 2\na: 3\n", SOURCE, "secrets.yaml:3 gives 'a' a second value", "keep one of the two"),
    _session("secret missing", "", "is missing"),
    _session("secret empty", "session_key:\n", "is empty"),
    _session("secret blank", "session_key: '  '\n", "is empty"),
    _session("secret a placeholder", "session_key: <ChangeMe>\n", "is still a placeholder"),
    _session("secret with NUL", 'session_key: "a\\0canary-4711-Zm9v"\n', "holds a NUL byte"),
    _session("secret a list", "session_key: [canary-4711-Zm9v]\n", "is a list or a mapping, not text"),
    _session("secret encrypted", "session_key: !vault canary-4711-Zm9v\n", "is still encrypted"),
    edited("unknown kind of source", "group_data/fleet.py", "file:", "vault:", SOURCE, "'vault' is no secret source", "use age:PATH, file:PATH, env:PREFIX or command:WORDS"),
    edited("a secret for its source", "group_data/fleet.py", "file:secrets.yaml", CANARY, SOURCE, "is no secret source", "use age:PATH"),
    edited("source without a place", "group_data/fleet.py", "file:secrets.yaml", "env:", SOURCE, "env: is cut", "use age:PATH"),
    edited("source of the wrong type", "group_data/fleet.py", '"file:secrets.yaml"', "['secrets.yaml']", SOURCE, "is a list, not text", "write secrets ="),
    edited("command that is not there", "group_data/fleet.py", "file:secrets.yaml", "command:no-such-program {name}", SOURCE, "the program no-such-program is not there", "install it"),
    edited("command that cannot be read", "group_data/fleet.py", "file:secrets.yaml", "command:pass show 'slipway/{name}", SOURCE, "No closing quotation", "quote it as in a shell"),
    edited("command without a name", "group_data/fleet.py", "file:secrets.yaml", "command:pass show slipway", SOURCE, "is not told which secret", "write {name}"),
]


APPLICATION = [
    edited("refused key", STACK, "    stop_grace_period", "    privileged: true\n    stop_grace_period", f"{STACK}:9", "services.api.privileged: not supported", "cap_add"),
    edited("unknown key", STACK, "stop_grace_period", "stop_grace_perod", f"{STACK}:9", "services.api.stop_grace_perod: unknown key", "did you mean 'stop_grace_period'?"),
    edited("wrong value", STACK, "port: 8000", "port: http", f"{STACK}:12", "expected a whole number", "docs/compose.md"),
    edited("undefined variable", STACK, "LEVEL: info", "LEVEL: ${DEMO_LEVEL}", f"{STACK}:4", "the variable DEMO_LEVEL is not set", "set DEMO_LEVEL in the group data"),
    edited("duplicate key", STACK, "    stop_grace", "    stop_grace_period: 1s\n    stop_grace", f"{STACK}:10", "the key 'stop_grace_period' is given twice", "keep one of them"),
    edited("no YAML", STACK, "services:\n", "services: [\n", f"{STACK}:7", "not valid YAML", ""),
    edited("a merge left in it", STACK, "services:\n", "<<<<<<< HEAD\nservices:\n", f"{STACK}:5", "in the middle of a merge", "take one side"),
    edited("a group without hosts", STACK, "      group: workers\n  db", "      group: agents\n  db", "stack demo: scheduler", "no host is in its group 'agents'", "add hosts to the group 'agents'"),
    edited("a native service without a host", FLEET, 'redis = [("cache1", {"address": "192.0.2.41", **_login})]\n', "", "stack demo: cache", "no host is in its group 'redis'", "add its host to the group 'redis'"),
    edited("no Dockerfile", STACK, "{context: .}", "{context: ., dockerfile: Dokcerfile}", f"{STACK}:2", "has no Dokcerfile", "docs/compose.md"),
]


def _template(name: str, old: str, new: str) -> Callable[[WrongProject], None]:
    def change(project: WrongProject) -> None:
        project.edit(f"templates/{name}", old, new)

    return change


def _template_absent(project: WrongProject) -> None:
    project.own_templates()
    (project.path / "templates/redis/users.acl.j2").unlink()


def _rare_host(project: WrongProject) -> None:
    """A variable that a template asks for on one host only."""
    project.edit("templates/docker/slipway-prune.timer.j2", "\n", '\n{% if random_delay == "2h" %}{{ colour }}{% endif %}')
    project.write("deploy.py", bringing("workers", "docker"))
    rare = '"192.0.2.22", "docker": {"prune": {"random_delay": "2h"}}, '
    project.edit(FLEET, '"192.0.2.22", ', rare)


TEMPLATES = [
    Case("template's variable on one host", _rare_host, "worker2: templates/docker/slipway-prune.timer.j2:2", "'colour' is undefined", "let role docker pass it on"),
    Case("template's undefined variable", _template("redis/users.acl.j2", "\n", "\n{{ colour }}\n"), "cache1: templates/redis/users.acl.j2:2", "'colour' is undefined", "let role redis pass it on"),
    Case("template's syntax", _template("redis/users.acl.j2", "\n", "\n{% if %}\n"), "cache1: templates/redis/users.acl.j2:2", "Expected an expression", "mend the template"),
    Case("template missing", _template_absent, "cache1: templates/redis/users.acl.j2", "there is no such template", "role redis needs it"),
]


def everything() -> Iterator[Case]:
    """Every case."""
    yield from (*DATA, *NAMES, *PYTHON, *HOSTS, *SECRET, *APPLICATION, *TEMPLATES)
