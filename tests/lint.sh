#!/bin/sh
# All checks that need no server. Called by `make lint` and by .ci/run.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'lint: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

cargo fmt --all --check || die "not formatted: run \`make fmt\`"
cargo clippy --workspace --all-targets --quiet -- -D warnings

if command -v cargo-deny >/dev/null 2>&1; then
  cargo deny --all-features check bans licenses sources
else
  say "SKIPPED: licenses and sources of dependencies, as cargo-deny is not installed"
fi

if command -v shellcheck >/dev/null 2>&1; then
  shellcheck tests/*.sh .ci/run
  shellcheck --shell=sh tests/src/os/reaper.sh
else
  say "SKIPPED: shell scripts, as shellcheck is not installed"
fi
