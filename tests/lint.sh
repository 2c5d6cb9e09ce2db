#!/bin/sh
# All checks that need no server. Called by `make lint` and by .ci/run.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib.sh
. tests/lib.sh

cargo fmt --all --check || die "not formatted: run \`make fmt\`"
cargo clippy --workspace --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

if have cargo-deny; then
  cargo deny --all-features check --hide-inclusion-graph bans licenses sources
else
  say "SKIPPED: licenses and sources of dependencies, as cargo-deny is not installed"
fi

if [ -d "$shellcheck" ]; then
  # Word splitting is wanted: one argument per script.
  # shellcheck disable=SC2046
  "$shellcheck/bin/shellcheck" --external-sources .ci/run $(git ls-files '*.sh')
else
  say "SKIPPED: shell scripts, as ShellCheck is not installed: run \`make setup\`"
fi

if [ -d "$asyncapi" ] && have node; then
  NODE_PATH=$asyncapi/node_modules node --test tests/asyncapi/ >&2
else
  say "SKIPPED: docs/asyncapi.json, as the AsyncAPI parser is not installed: run \`make setup\`"
fi

tests/deploy/check.sh
