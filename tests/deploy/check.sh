#!/bin/sh
# Checks docker-compose.yml and deploy/Dockerfile with the tools made for them, which it fetches into the cache.
# Needs Go and Python, no container engine. Called by tests/lint.sh.
set -eu
cd "$(dirname "$0")/../.."

compose_go_version=2.16.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kubernaut-audit
compose_go=$cache/compose-go-$compose_go_version
# Named by its list of packages.
linters=$cache/deploy-linters-$(cksum <tests/deploy/requirements.txt | cut -d ' ' -f 1)

say() { printf 'deploy: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Debian has the part of Python that makes environments in a package of its own.
python_is_usable() {
  have python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1
}

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
    die "$1 failed (are the Go module proxy and PyPI, or the mirrors that are configured for them, reachable?)"
  }
  # Another run may have finished first; either copy is as good.
  mv -T "$unfinished" "$destination" 2>/dev/null || rm -rf "$unfinished"
}

install_compose_go() {
  GOBIN=$1 go install "github.com/compose-spec/compose-go/v2/cmd@v$compose_go_version"
}

install_linters() {
  python3 -m venv "$1" \
    && "$1/bin/python" -m pip install -q --disable-pip-version-check -r tests/deploy/requirements.txt
}

if [ ! -d "$linters" ] && ! python_is_usable && [ "$(id -u)" -eq 0 ] && have apt-get; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } </dev/null >&2 \
    || die "apt-get could not install python3-venv"
fi
if [ -d "$linters" ] || python_is_usable; then
  fetch "$linters" install_linters
  # By Python: the programs of an environment name the place where it was made.
  "$linters/bin/python" -m yamllint --strict \
    -d "{extends: default, rules: {document-start: disable, line-length: {max: 120}}}" docker-compose.yml
  "$linters/bin/hadolint" --failure-threshold style deploy/Dockerfile
else
  say "SKIPPED: yamllint and hadolint, as Python 3 with venv is not installed"
fi

if [ -d "$compose_go" ] || have go; then
  fetch "$compose_go" install_compose_go
  "$compose_go/cmd" -format json docker-compose.yml >/dev/null
else
  say "SKIPPED: the Compose specification, as Go is not installed"
fi
