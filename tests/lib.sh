# shellcheck shell=sh
# What the project's scripts share. They change to the top folder, then source this.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/kubernaut-audit

# What several of them have to find.
# shellcheck disable=SC2034
{
  kube_version=$(sed -n 's/.*k8s.io\/kubernetes v\([0-9.]*\)$/\1/p' tests/kube/kube-apiserver/go.mod)
  kube=${KUBE_DIR:-$cache/kube-$kube_version}
  asyncapi=$cache/asyncapi-$(cksum <tests/asyncapi/package-lock.json | cut -d ' ' -f 1)
  shellcheck_version=0.11.0.1
  shellcheck=$cache/shellcheck-$shellcheck_version
}

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# in_cache DIRECTORY WHAT COMMAND..: what the command puts into the directory that is its last argument appears as
# DIRECTORY, complete or not at all. A command that fails has to `die`.
in_cache() {
  directory=$1
  what=$2
  shift 2
  [ ! -d "$directory" ] || return 0
  say "fetching $what into $directory"
  mkdir -p "$(dirname "$directory")"
  unfinished=$(mktemp -d "$directory.XXXXXX")
  trap 'rm -rf "$unfinished"' EXIT
  trap 'exit 130' INT TERM HUP
  "$@" "$unfinished" </dev/null >&2
  chmod 755 "$unfinished"
  # Another run may have finished first; either copy is as good.
  mv -T "$unfinished" "$directory" 2>/dev/null || [ -d "$directory" ]
  rm -rf "$unfinished"
  trap - EXIT INT TERM HUP
}

# run_maven WHAT ARGUMENT..: Maven, to fetch something.
run_maven() {
  what=$1
  shift
  mvn -q -B "$@" \
    || die "Maven could not fetch $what (is Maven Central, or the mirror in ~/.m2/settings.xml, reachable?)"
}

fetch_kafka() { # VERSION DIRECTORY
  run_maven "Apache Kafka" -f tests/kafka/pom.xml dependency:copy-dependencies \
    "-Dkafka.version=$1" "-DoutputDirectory=$2/libs"
}

# Installs Debian packages, as root, or says which to install.
install_packages() {
  [ $# -gt 0 ] || return 0
  have apt-get || die "please install with your package manager (Debian's names), then run this again: $*"
  [ "$(id -u)" -eq 0 ] || die "please install, then run this again: sudo apt-get install $*"
  say "installing: $*"
  apt_install "$@" </dev/null >&2 || die "apt-get could not install: $*"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || return
  case " $* " in
    *" postgresql "*)
      # Installing the server would otherwise also create and start a cluster on port 5432,
      # which nobody asked for: the tests start their own.
      apt-get install -y -qq --no-upgrade --no-install-recommends postgresql-common || return
      sed -i 's/^#\{0,1\}create_main_cluster.*/create_main_cluster = false/' \
        /etc/postgresql-common/createcluster.conf || return
      ;;
  esac
  apt-get install -y -qq --no-upgrade --no-install-recommends ca-certificates "$@"
}
