#!/bin/sh
# A throw-away cluster with one role; the password comes on standard input of initdb's file, never as an argument.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
data=/var/lib/postgresql/demo
"$bin/initdb" --pgdata "$data" --username demo --pwfile /run/secrets/postgres_password --auth scram-sha-256 \
    --encoding UTF8 --no-sync >/dev/null
echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
for database in demo empty; do
    echo "CREATE DATABASE $database" | "$bin/postgres" --single -D "$data" postgres >/dev/null
done
exec "$bin/postgres" -D "$data" -c listen_addresses='*' -c fsync=off -c unix_socket_directories=/tmp
