#!/bin/sh
# Prints the arguments that keep the test runner from what this machine cannot run, and says loudly what that is.
# Called by `make test`; .ci/run accepts nothing that is left out.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib.sh
. tests/lib.sh

if [ ! -d "$kube" ]; then
  say "LEFT OUT: all tests of the controller, which are part of the full suite: they need a kube-apiserver, which is built\
 with Go 1.26 or later. Install it (https://go.dev/dl), then run \`make setup\`"
  echo --skip controller::
fi
