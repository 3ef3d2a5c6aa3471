#!/bin/sh
# Proves that libs/gen is what the protos give, and that nothing was broken since the last tag.
set -eu
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protos/generate.sh "$fresh" >/dev/null 2>&1
if ! diff -r -q -x __pycache__ "$fresh" libs/gen; then
    echo "libs/gen is not what the protos give: run 'make protos' and commit the result" >&2
    exit 1
fi
tag=$(git describe --tags --abbrev=0 2>/dev/null || true)
if [ -n "$tag" ]; then
    buf breaking protos --against ".git#tag=$tag,subdir=protos"
    echo "protos: compatible with $tag"
else
    echo "protos: no release tag yet, so there is nothing to be compatible with"
fi
