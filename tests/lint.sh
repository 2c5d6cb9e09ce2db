#!/bin/sh
# All checks that need no server. Called by `make lint` and by .ci/run.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'lint: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

cargo fmt --all --check || die "not formatted: run \`make fmt\`"
cargo clippy --workspace --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

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

asyncapi=${XDG_CACHE_HOME:-$HOME/.cache}/kubernaut-audit/asyncapi-$(
  cksum <tests/asyncapi/package-lock.json | cut -d ' ' -f 1
)
if [ -d "$asyncapi" ] && command -v node >/dev/null 2>&1; then
  NODE_PATH=$asyncapi/node_modules node --test tests/asyncapi/ >&2
else
  say "SKIPPED: docs/asyncapi.json, as the AsyncAPI parser is not installed: run \`make setup\`"
fi

tests/deploy/check.sh
