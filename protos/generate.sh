#!/bin/sh
# Generates the Python code of the protos into the folder $1. Service stubs only for *_service.proto: a stub of a file
# without services would be empty and still demand a version of grpcio.
set -eu
here=$(dirname "$0")
out=$1
mkdir -p "$out"
all=$(cd "$here" && find shortlist -name '*.proto' | sort)
services=$(cd "$here" && find shortlist -name '*_service.proto' | sort)
# shellcheck disable=SC2086
python -m grpc_tools.protoc -I "$here" --python_out="$out" --pyi_out="$out" $all
# shellcheck disable=SC2086
python -m grpc_tools.protoc -I "$here" --grpc_python_out="$out" --mypy_grpc_out="$out" $services
