#!/bin/sh
# Makes this machine able to build and test the project: uses what is there, installs what is
# missing (apt-get, as root), and otherwise says exactly what to install. Safe to repeat and to
# interrupt. Called by `make setup`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kubernaut-audit
oldest_postgres=15
oldest_java=17

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

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
  postgres_is_usable || echo postgresql
  java_is_usable || echo default-jre-headless
  [ -d "$kafka" ] || have mvn || echo maven
  [ -d "$schemathesis" ] || python_is_usable || echo python3-venv
  have node || echo nodejs
  [ -d "$asyncapi" ] || have npm || echo npm
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null >&2
  case " $* " in
    *" postgresql "*)
      # Installing the server would otherwise also create and start a cluster on port 5432,
      # which nobody asked for: the tests start their own.
      apt-get install -y -qq --no-upgrade --no-install-recommends postgresql-common </dev/null >&2
      sed -i 's/^#\{0,1\}create_main_cluster.*/create_main_cluster = false/' \
        /etc/postgresql-common/createcluster.conf
      ;;
  esac
  apt-get install -y -qq --no-upgrade --no-install-recommends ca-certificates "$@" </dev/null >&2
}

install_packages() {
  packages=$(missing_packages | tr '\n' ' ')
  [ -n "$packages" ] || return 0
  if [ "$(id -u)" -eq 0 ] && have apt-get; then
    say "installing: $packages"
    # Word splitting is wanted: one argument per package.
    # shellcheck disable=SC2086
    apt_install $packages || die "apt-get could not install: $packages"
  elif have apt-get; then
    die "please install, then run this again: sudo apt-get install $packages"
  else
    die "please install with your package manager (Debian's names), then run this again: $packages"
  fi
  postgres_is_usable || die "PostgreSQL $oldest_postgres or later is needed (initdb, postgres);\
 set POSTGRES_BIN to the directory that holds them"
  java_is_usable || die "Java $oldest_java or later is needed on the PATH"
}

# Apache Kafka from Maven Central, into the cache. It appears there complete or not at all.
install_kafka() {
  [ ! -d "$kafka" ] || return 0
  say "fetching Apache Kafka $kafka_version (about 55 MB) into $kafka"
  mkdir -p "$cache"
  unfinished=$(mktemp -d "$cache/kafka.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  trap 'exit 130' INT TERM HUP
  mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies \
    "-DoutputDirectory=$unfinished/libs" </dev/null >&2 \
    || die "Maven could not fetch Apache Kafka (is Maven Central, or the mirror in ~/.m2/settings.xml, reachable?)"
  chmod 755 "$unfinished"
  # Another run may have finished first; either copy is as good.
  mv -T "$unfinished" "$kafka" 2>/dev/null || [ -d "$kafka" ]
}

# Schemathesis and what it needs from PyPI, in a Python environment of its own in the cache.
install_schemathesis() {
  [ ! -d "$schemathesis" ] || return 0
  say "fetching Schemathesis $schemathesis_version (about 25 MB) into $schemathesis"
  mkdir -p "$cache"
  unfinished=$(mktemp -d "$cache/schemathesis.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  trap 'exit 130' INT TERM HUP
  python3 -m venv "$unfinished" >&2 || die "python3 could not make an environment: is python3-venv installed?"
  "$unfinished/bin/python" -m pip install -q --disable-pip-version-check \
    -r "$here/schemathesis/requirements.txt" </dev/null >&2 \
    || die "pip could not fetch Schemathesis (is PyPI, or the mirror in pip's configuration, reachable?)"
  chmod 755 "$unfinished"
  mv -T "$unfinished" "$schemathesis" 2>/dev/null || [ -d "$schemathesis" ]
}

# The parser that checks docs/asyncapi.json, likewise. No script of a package is run.
install_asyncapi_parser() {
  [ ! -d "$asyncapi" ] || return 0
  say "fetching the AsyncAPI parser (55 MB) into $asyncapi"
  mkdir -p "$cache"
  unfinished=$(mktemp -d "$cache/asyncapi.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  trap 'exit 130' INT TERM HUP
  cp "$here/asyncapi/package.json" "$here/asyncapi/package-lock.json" "$unfinished"
  (cd "$unfinished" && npm ci --ignore-scripts --no-audit --no-fund </dev/null >&2) \
    || die "npm could not fetch the AsyncAPI parser (is its registry, or the mirror in ~/.npmrc, reachable?)"
  mv -T "$unfinished" "$asyncapi" 2>/dev/null || [ -d "$asyncapi" ]
}

kafka_version=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "$here/kafka/pom.xml")
kafka=${KAFKA_DIR:-$cache/kafka-$kafka_version}
schemathesis_version=$(sed -n 's/^schemathesis==//p' "$here/schemathesis/requirements.txt")
schemathesis=${SCHEMATHESIS_DIR:-$cache/schemathesis-$schemathesis_version}
# Named by its lock file; tests/lint.sh looks for the same name.
asyncapi=$cache/asyncapi-$(cksum <"$here/asyncapi/package-lock.json" | cut -d ' ' -f 1)

have cargo || die "Rust is missing: install it from https://rustup.rs (or your distribution), then run this again"
install_packages
install_kafka
install_schemathesis
install_asyncapi_parser
say "ready: $("$(postgres_bin)/postgres" --version), Apache Kafka $kafka_version, Schemathesis $schemathesis_version, $(cargo --version)"
