#!/bin/sh
# Runs the end-to-end tests once more, on the oldest Apache Kafka that is supported and on a newer PostgreSQL,
# built without lz4. Fetches both by Maven. Called by `make test-other-versions`, after `make setup`.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib.sh
. tests/lib.sh

kafka_version=3.9.2
postgres_version=18.1.0
kafka=$cache/kafka-$kafka_version
postgres=$cache/postgresql-$postgres_version

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
  run_maven PostgreSQL -f "$1/pom.xml" dependency:unpack "-Dartifact=$server" "-DoutputDirectory=$1"
}

# The Kafka of `make setup` may have come without Maven, and nothing else asks for xz.
missing_packages() {
  { [ -d "$kafka" ] && [ -d "$postgres" ]; } || have mvn || echo maven
  have xz || echo xz-utils
}

# Word splitting is wanted: one argument per package.
# shellcheck disable=SC2046
install_packages $(missing_packages)
in_cache "$kafka" "Apache Kafka $kafka_version (55 MB)" fetch_kafka "$kafka_version"
in_cache "$postgres" "PostgreSQL $postgres_version (15 MB)" fetch_postgres

# Root's server runs as another user, who cannot look into root's cache.
programs=$(mktemp -d "${TMPDIR:-/tmp}/audit-postgresql.XXXXXX")
trap 'rm -rf "$programs"' EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$programs"
tar -xJf "$postgres"/postgres-linux-*.txz -C "$programs"

say "Apache Kafka $kafka_version, $("$programs/bin/postgres" --version) without lz4"
# Kafka's new group protocol came with 4.0; that its lack is noticed has a test which stays in. The broker of
# docker-compose.yml is newer, too.
KAFKA_DIR=$kafka POSTGRES_BIN=$programs/bin \
  cargo test --package audit-tests --test e2e -- --skip by_the_new_protocol --skip the_broker_knows_its_variables "$@"
