#!/bin/sh
# Builds etcd and kube-apiserver from their Go modules into a directory. Takes minutes and, in Go's cache, 4 GB.
# Called by tests/setup.sh, with a `go` of 1.26 or later on the PATH.
set -eu
directory=$1
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
export CGO_ENABLED=0 GOWORK=off GOTOOLCHAIN=local

# build PROGRAM [LINKER FLAGS]: -mod=mod writes go.sum and the indirect requirements, which follow from the go.mod.
build() {
  cp -r "$1" "$work"
  (cd "$work/$1" && go build -mod=mod -buildvcs=false -trimpath -gcflags=all=-dwarf=false \
    -ldflags "-s -w ${2:-}" -o "$directory/$1" .)
}

# Without these the server calls itself v0.0.0-master.
version=$(sed -n 's/.*k8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' kube-apiserver/go.mod)
minor=${version#v1.}
flags=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done

build etcd
build kube-apiserver "$flags"
