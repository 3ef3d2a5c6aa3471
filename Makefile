# Everything there is to run. A command that is not a target does not exist.
PYTHON ?= python3
# The virtual environment that is active, else one of our own.
VENV ?= $(or $(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CODE := libs services tests benchmarks
# Work folder of the demo: data, bundles, the embedded Valkey. Nothing in it is needed again.
VAR ?= var
ONCE ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo protos protos-check lint types layers manifests check test bench measured clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# One stamp per set of extras: `make demo` does not wait for the tools that only `make check test` needs.
$(VENV)/.shortlist-all: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing shortlist[all] into $(VENV)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/.shortlist-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing shortlist[dev] into $(VENV)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.shortlist-all

setup: $(VENV)/.shortlist-dev ## virtual environment with everything for development

demo: $(VENV)/.shortlist-all ## install, get ml-100k, train, publish, serve and ask; ONCE=1 ends by itself
	$(BIN)/shortlist demo --var $(VAR) $(if $(ONCE),--once)

protos: setup ## format and lint the protos, regenerate libs/gen
	$(BIN)/buf format -w protos
	$(BIN)/buf lint protos
	rm -rf libs/gen/shortlist
	protos/generate.sh libs/gen

protos-check: setup ## lint, compatibility with the last tag, generated code fresh
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	protos/check.sh

lint: setup ## ruff
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check --quiet $(CODE)

types: setup ## mypy --strict
	$(BIN)/mypy libs services tests

layers: setup ## who may import whom; the gateway starts without heavy packages
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/architecture/test_gateway_is_light.py

manifests: setup ## Dockerfile, compose and Kubernetes render and validate
	deploy/check

check: protos-check lint types layers manifests ## everything that needs no test run

# Files side by side: half of what the tests take is waiting for processes, sockets and the clock.
test: setup ## unit, contract, architecture, integration and end to end
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile

bench: setup ## latency of `shortlist serve` on what `make demo` published, bounded and on loopback
	$(BIN)/shortlist bench --var $(VAR)

measured: setup ## write the figures of benchmarks/ into README.md
	$(BIN)/python benchmarks/render.py

clean: ## remove what was built here, not the virtual environment
	rm -rf $(VAR) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
