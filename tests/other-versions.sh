#!/bin/sh
# Runs the end-to-end tests once more, on the oldest Apache Kafka that is supported and on a newer PostgreSQL,
# built without lz4. Fetches both by Maven. Called by `make test-other-versions`, after `make setup`.
set -eu
cd "$(dirname "$0")/.."

kafka_version=3.9.2
postgres_version=18.1.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kubernaut-audit
kafka=$cache/kafka-$kafka_version
postgres=$cache/postgresql-$postgres_version

say() { printf 'other versions: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# What a command puts into the directory that it is given appears in the cache complete or not at all.
fetch() {
  destination=$1
  shift
  [ ! -d "$destination" ] || return 0
  say "fetching into $destination"
  mkdir -p "$cache"
  unfinished=$(mktemp -d "$cache/fetching.XXXXXX")
  "$@" "$unfinished" </dev/null >&2 || {
    rm -rf "$unfinished"
    die "Maven could not fetch it (is Maven Central, or the mirror in ~/.m2/settings.xml, reachable?)"
  }
  # Another run may have finished first; either copy is as good.
  mv -T "$unfinished" "$destination" 2>/dev/null || rm -rf "$unfinished"
}

fetch_kafka() {
  mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies "-Dkafka.version=$kafka_version" \
    "-DoutputDirectory=$1/libs"
}

# A jar that holds the server as an archive of tar and xz.
fetch_postgres() {
  case $(uname -m) in
    x86_64) architecture=amd64 ;;
    aarch64) architecture=arm64v8 ;;
    *) die "there is no build of PostgreSQL $postgres_version for $(uname -m)" ;;
  esac
  server=io.zonky.test.postgres:embedded-postgres-binaries-linux-$architecture:$postgres_version
  # Maven leaves its marks beside the pom.
  cp tests/kafka/pom.xml "$1"
  mvn -q -B -f "$1/pom.xml" dependency:unpack "-Dartifact=$server" "-DoutputDirectory=$1"
}

# Only where Maven has something to do: the Kafka of `make setup` may have come without it.
if [ ! -d "$kafka" ] || [ ! -d "$postgres" ]; then
  have mvn || {
    [ "$(id -u)" -eq 0 ] && have apt-get || die "please install Maven, then run this again"
    apt-get install -y -qq --no-install-recommends maven </dev/null >&2
  }
fi
fetch "$kafka" fetch_kafka
fetch "$postgres" fetch_postgres

# Root's server runs as another user, who cannot look into root's cache.
programs=$(mktemp -d "${TMPDIR:-/tmp}/audit-postgresql.XXXXXX")
trap 'rm -rf "$programs"' EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$programs"
tar -xJf "$postgres"/postgres-linux-*.txz -C "$programs" || die "please install xz-utils, then run this again"

say "Apache Kafka $kafka_version, $("$programs/bin/postgres" --version) without lz4"
# Kafka's new group protocol came with 4.0; that its lack is noticed has a test which stays in. The broker of
# docker-compose.yml is newer, too.
KAFKA_DIR=$kafka POSTGRES_BIN=$programs/bin \
  cargo test --package audit-tests --test e2e -- --skip by_the_new_protocol --skip the_broker_knows_its_variables "$@"
