# Everything that Slipway manages on this host, one fact a line, each with its section in front. Read as root.
# Two hosts that were brought to the same have the same lines: see tests/faults/state.py for what is left out, and why.
export LC_ALL=C
cd /
section() { sed "s|^|$1: |"; }

trees="/etc /usr/local /root /home /var/lib/slipway /var/lib/slipway-edge /var/lib/slipway-acme"
there=; for tree in $trees; do [ ! -e "$tree" ] || there="$there $tree"; done
# The edge's configuration that is live stands under a name of its own; which one it is, is seen from inside.
live=$(readlink /etc/nginx/slipway/current)
named() { sed "s|/etc/nginx/slipway/${live:-none}\\b|/etc/nginx/slipway/live|"; }
find $there -xdev \( -type f -o -type l -o -type d \) -printf '%p %y %m %u %g %l\n' | named | section path
if [ -z "${anywhere:-}" ]; then
  find $there -xdev -type f -print0 | xargs -0r sha256sum | named | section content
else
  # To be compared with another host: what follows from a host's name and address is none of the difference.
  find $there -xdev -type f | while read -r path; do
    sum=$(sed -E "s/\\b($(hostname -i)|$(hostname))\\b/@/g; s/\\b[0-9a-f]{12,64}\\b/@/g" "$path" | sha256sum)
    echo "${sum%% *}  $path"
  done | named | section content
fi

dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n' | section package
apt-mark showhold | section held
apt-mark showmanual | section 'asked for'

systemctl list-unit-files --no-legend --plain --type=service,timer,socket,path | section 'unit file'
systemctl list-units --all --no-legend --plain --type=service,timer,socket,path |
  while read -r unit load active rest; do echo "$unit $load $active"; done | section unit
for unit in docker nginx redis-server postgresql@17-main systemd-journald slipway-prune.timer; do
  systemctl show -p LoadState,UnitFileState,NeedDaemonReload,DropInPaths,FragmentPath,LimitNOFILE,Environment "$unit" |
    section "unit $unit"
done
# Whether what runs was started, or told to look again, after its files were last written.
age() { stat -c %Y -- "$2" 2>/dev/null | { read -r written || exit 0; [ "$written" -le "$1" ] && echo fresh || echo "older than $2"; }; }
since() { systemctl show -p ActiveEnterTimestamp --timestamp=unix --value "$1" | tr -d @; }
age "$(since systemd-journald)" /etc/systemd/journald.conf.d/50-slipway.conf | section journald
age "$(since redis-server)" /etc/systemd/system/redis-server.service.d/50-slipway.conf | section 'redis unit'

getent passwd | section user
getent group | section group
cut -d: -f1-2 /etc/shadow | section password
sed -hnE 's/^([a-z][^ =]*) *=.*/\1/p' /etc/sysctl.d/*slipway*.conf 2>/dev/null | sort -u |
  while read -r key; do sysctl "$key"; done | section kernel
timedatectl show -p Timezone | section clock

ss -Hltn | while read -r state rq sq address rest; do echo "$address"; done | sort -u | section listens

if command -v docker > /dev/null; then
  docker ps -a --format '{{.Names}}' | sort | while read -r name; do
    docker inspect "$name" --format '{{.State.Status}} {{.State.Running}} {{.HostConfig.RestartPolicy.Name}}
image {{.Image}} {{.Config.Image}} user {{.Config.User}}
command {{json .Config.Entrypoint}} {{json .Config.Cmd}}
environment {{json .Config.Env}}
labels {{json .Config.Labels}}
limits {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}}
rights {{json .HostConfig.CapDrop}} {{json .HostConfig.SecurityOpt}}
mounts {{range .Mounts}}{{.Source}} {{.Destination}} {{.RW}}; {{end}}
ports {{json .HostConfig.PortBindings}}
network {{.HostConfig.NetworkMode}}
log {{json .HostConfig.LogConfig}}' | section "container $name"
  done
  docker info --format '{{.LiveRestoreEnabled}} {{.LoggingDriver}} {{json .Labels}} {{.Driver}}' | section engine
  docker network ls --format '{{.Name}} {{.Driver}} {{.Labels}}' | section network
fi

if command -v psql > /dev/null; then
  ask() { runuser -u postgres -- psql -XAtqw -d "${2:-postgres}" -c "$1" 2>&1; }
  ask "select name, setting, pending_restart from pg_settings where source not in ('default', 'override', 'client')
       order by 1" | section setting
  ask "select line_number, type, database, user_name, address, auth_method, error from pg_hba_file_rules" | section hba
  ask "select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,
       rolpassword is not null, rolvaliduntil, rolbypassrls from pg_authid order by 1" | section role
  ask "select coalesce(d.datname, ''), coalesce(r.rolname, ''), setconfig from pg_db_role_setting s
       left join pg_database d on d.oid = setdatabase left join pg_roles r on r.oid = setrole" | section 'role setting'
  ask "select r.rolname, m.rolname from pg_auth_members join pg_roles r on r.oid = roleid
       join pg_roles m on m.oid = member" | section member
  ask "select datname, pg_get_userbyid(datdba), datcollate, pg_encoding_to_char(encoding), datacl::text
       from pg_database order by 1" | section database
  ask "select nspname, pg_get_userbyid(nspowner), nspacl::text from pg_namespace where nspname !~ '^pg_toast'
       order by 1" demo | section schema
  ask "select extname, extversion from pg_extension" demo | section extension
  ask "select relname, relkind, pg_get_userbyid(relowner) from pg_class c join pg_namespace n on n.oid = relnamespace
       where nspname in ('public', 'slipway') order by 1" demo | section relation
  ask "select key, release, host, finished is not null from slipway.migration order by finished" demo | section ledger
  ask "select * from alembic_version" demo | section schema
fi

admin=/var/lib/slipway/secrets/redis-admin
if [ -s "$admin" ]; then
  redis() { REDISCLI_AUTH=$(cat "$admin") redis-cli --no-auth-warning -s /run/redis/redis-server.sock --user slipway "$@"; }
  redis config get '*' | awk 'NR % 2 { key = $0; next } { print key, $0 }' | sort | section redis
  redis acl list | section 'redis user'
fi

if [ -x /usr/local/sbin/slipway-edge ]; then
  /usr/local/sbin/slipway-edge state | sed "s|/${live:-none}\\b|/live|" | section edge
  # What answers, and by which configuration.
  curl -sSI -m 20 -H 'Host: demo.lab.test' "http://$(hostname -i)/" | tr -d '\r' | grep -iE '^(HTTP|X-|Server)' |
    sort | section answer
fi

current=$(readlink /var/lib/slipway/releases/current) && echo "$current" | section release
[ ! -f "/var/lib/slipway/releases/$current" ] || section record < "/var/lib/slipway/releases/$current"

# What a run leaves behind where it did not clean up after itself.
find / /run /dev/shm $there -xdev \( -name '*.slipway-new' -o -name '.slipway.????????' -o -name '.upload.*' -o -name '*.new' \
  -o -name '.new-*' -o -name '.slipway-*' -o -name 'slipway-redis.*' -o -name '*.dpkg-new' -o -name '*.dpkg-tmp' \
  -o -name 'policy-rc.d' -o -name '*-previous' -o -name '.current.new' \) \
  -not -path '/proc/*' -not -path '/sys/*' -not -path '/var/lib/docker/*' -not -path '/usr/share/*' | section left
find /tmp /var/tmp -mindepth 1 -maxdepth 1 -not -name 'systemd-private-*' -not -name '.*-unix' | section left
ls -A /var/lib/slipway/owed /var/lib/slipway/creating /var/lib/slipway/unproven 2>/dev/null | grep -v ':$' | grep . |
  section owed
[ ! -e /var/lib/slipway/journal.json ] || cat /var/lib/slipway/journal.json | section journal
ls /run/slipway/request /run/slipway/holder 2>/dev/null | section left
[ ! -s /var/lib/slipway/releases/attempt ] || cat /var/lib/slipway/releases/attempt | section attempt
flock --nonblock --exclusive /run/lock true || echo 'a command still runs' | section orphan
true
