#!/bin/sh
# Checks docker-compose.yml and deploy/Dockerfile with the tools made for them, which it fetches into the cache.
# Needs Go and Python, no container engine. Called by tests/lint.sh.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib.sh
. tests/lib.sh

compose_go_version=2.16.2
compose_go=$cache/compose-go-$compose_go_version
# Named by its list of packages.
linters=$cache/deploy-linters-$(cksum <tests/deploy/requirements.txt | cut -d ' ' -f 1)

# Debian has the part of Python that makes environments in a package of its own.
python_is_usable() {
  have python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1
}

install_compose_go() {
  GOBIN=$1 go install "github.com/compose-spec/compose-go/v2/cmd@v$compose_go_version" \
    || die "Go could not fetch compose-go (is the Go module proxy, or the mirror in GOPROXY, reachable?)"
}

install_linters() {
  python3 -m venv "$1" || die "python3 could not make an environment: is python3-venv installed?"
  "$1/bin/python" -m pip install -q --disable-pip-version-check -r tests/deploy/requirements.txt \
    || die "pip could not fetch yamllint and hadolint (is PyPI, or the mirror in pip's configuration, reachable?)"
}

if [ ! -d "$linters" ] && ! python_is_usable && [ "$(id -u)" -eq 0 ] && have apt-get; then
  install_packages python3-venv
fi
if [ -d "$linters" ] || python_is_usable; then
  in_cache "$linters" "yamllint and hadolint" install_linters
  # By Python: the programs of an environment name the place where it was made.
  "$linters/bin/python" -m yamllint --strict \
    -d "{extends: default, rules: {document-start: disable, line-length: {max: 120}}}" docker-compose.yml
  "$linters/bin/hadolint" --failure-threshold style deploy/Dockerfile
else
  say "SKIPPED: yamllint and hadolint, as Python 3 with venv is not installed"
fi

if [ -d "$compose_go" ] || have go; then
  in_cache "$compose_go" compose-go install_compose_go
  "$compose_go/cmd" -format json docker-compose.yml >/dev/null
else
  say "SKIPPED: the Compose specification, as Go is not installed"
fi
