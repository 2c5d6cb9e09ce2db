#!/bin/sh
# Makes the secrets of docker-compose.yml, once: random passwords, and database URLs that hold them. What is
# there is kept, since PostgreSQL takes its passwords only when its data directory is made.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
cd secrets

# The containers' users are not ours, and see only the files they are given: here the directory guards them.
# A file appears complete or not at all.
keep() {
  [ ! -e "$1" ] || return 0
  rm -f "$1.unfinished"
  printf '%s\n' "$2" >"$1.unfinished"
  chmod 444 "$1.unfinished"
  mv "$1.unfinished" "$1"
}

keep_password() {
  password=$(od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n')
  [ ${#password} -eq 48 ] || { echo "secrets.sh: /dev/urandom gave no password" >&2; exit 1; }
  keep "$1" "$password"
}

# user, file of the password
url() { printf 'postgres://%s:%s@postgres:5432/audit' "$1" "$(cat "$2")"; }

keep_password postgres-password
keep_password migrator-password
keep_password writer-password
keep database-url-migrator "$(url audit_deploy migrator-password)"
keep database-url-writer "$(url audit_consumer writer-password)"
