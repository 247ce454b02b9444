# Everything here needs only Python ≥ 3.11, git and make. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# The tests and the demo start many short processes; without bytecode each would compile all it imports.
export PYTHONDONTWRITEBYTECODE :=

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'
	@printf "  make %-18s %s\n" "bench-NAME" "Measure: extract REPO=path, options REPO=path, incremental REPO=path, cache REPO=path, forget REPO=path, peers REPO=path, memory, slope, transform, operator, api (last line: figures as JSON)"

setup: $(READY) ## Install what the project needs into .venv

$(READY): requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "gitmart needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": run make PYTHON=python3.x")'
	@test -x $(BIN)/python || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(READY) ## Analytics of a repository on this machine (REPO=url-or-path; default: this one)
	@$(BIN)/gitmart local demo --state .gitmart $(if $(REPO),--repo '$(REPO)')

# One more than there are cores: tests of clusters and of interruptions mostly wait.
WORKERS = $$($(BIN)/python -c 'import os; print(len(os.sched_getaffinity(0)) + 1)')

test: $(READY) ## Run all tests
	@$(CLUSTER) prepare
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup

test-fast: $(READY) ## Run the tests that need no more than a few seconds each, and no cluster
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not slow and not cluster"

test-cluster: $(READY) ## Run the tests that need a cluster
	@$(CLUSTER) prepare
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m cluster

cluster: $(READY) ## Have a Kubernetes cluster for the tests; it stays until make cluster-down
	@$(CLUSTER) up

cluster-down: $(READY) ## End the cluster without a trace
	@$(CLUSTER) down

kubeconfig: $(READY) ## Print the path of the cluster's kubeconfig
	@$(CLUSTER) kubeconfig

cluster-tools: $(READY) ## Build the programs that the tests use, helm and kubeconform among them
	@$(CLUSTER) tools

image: $(READY) ## Build the image without Docker and print its name
	@$(CLUSTER) image
CLUSTER := $(BIN)/python -m tests.cluster.environment

lint: $(READY) ## Check style, types, imports, SQL and generated files
	@$(BIN)/ruff format --check --quiet . || { echo "make fix formats the files"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint dbt
	@$(MAKE) --no-print-directory verify docs

fix: $(READY) ## Format and repair what can be repaired by itself
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/sqlfluff fix --quiet dbt

generate: $(READY) ## Write the files that are made from code
	@$(BIN)/python -m gitmart.resources.generate crds
	@$(BIN)/python -m gitmart.transform.catalogue dbt docs/metrics.md operator/gitmart/contract/metrics.json
	@$(BIN)/python charts/generate.py charts/gitmart

verify: $(READY) ## Fail if a generated file is stale
	@$(BIN)/python -m gitmart.resources.generate --check crds
	@$(BIN)/python -m gitmart.transform.catalogue --check dbt docs/metrics.md operator/gitmart/contract/metrics.json
	@$(BIN)/python charts/generate.py --check charts/gitmart

docs: $(READY) ## Check that every relative link of the documentation leads somewhere
	@$(BIN)/python docs/check_links.py

lock: $(READY) ## Resolve the dependencies anew
	@$(BIN)/uv pip compile $(LOCK) --extra local --group dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile $(LOCK) pyproject.toml -o requirements/runtime.txt
	@grep -oE '^uv==[^ ]+' requirements/dev.txt | $(BIN)/uv pip compile $(LOCK) - -o requirements/uv.txt
	@printf '%s\n' 'dbt-core>=1.11,<1.12' 'dbt-postgres>=1.11,<1.12' | $(BIN)/uv pip compile $(LOCK) - -o requirements/dbt-1.11.txt
	@printf '%s\n' 'dbt-core>=1.12,<1.13' dbt-bigquery dbt-databricks dbt-duckdb dbt-redshift dbt-snowflake 'dbt-spark[PyHive]' sqlglot | $(BIN)/uv pip compile $(LOCK) - -o requirements/dbt-adapters.txt
	@printf '%s\n' gitpython perceval 'psycopg[binary]' pydriller | $(BIN)/uv pip compile $(LOCK) - -o bench/peers.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"

bench-operator: $(READY) # its file must not be called operator.py: that is a module of Python's own
	@$(BIN)/python -W ignore bench/operator_scale.py $(if $(PART),--part $(PART)) $(if $(REPOSITORIES),--repositories $(REPOSITORIES))

bench-api: $(READY)
	@$(BIN)/python -W ignore bench/api.py $(if $(COMMITS),--commits $(COMMITS)) $(if $(SECONDS_EACH),--seconds $(SECONDS_EACH))

bench-slope bench-growth: $(READY)
	@$(BIN)/python -W ignore bench/$(@:bench-%=%).py $(if $(SIZES),--sizes $(SIZES))

bench-%: $(READY)
	@$(BIN)/python -W ignore bench/$(subst -,_,$*).py $(if $(REPO),--repo '$(REPO)')

campaign-%: $(READY)
	@$(BIN)/python -W ignore -m tests.campaigns.$(subst -,_,$*) $(if $(REPO),--repo '$(REPO)')

clean: ## Remove what make has made, the state of the demo too
	@test ! -x $(BIN)/gitmart || test ! -d .gitmart || $(BIN)/gitmart local reset --yes --state .gitmart
	@rm -rf .venv .gitmart .cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo test test-fast test-cluster cluster cluster-down kubeconfig cluster-tools image lint fix generate verify docs lock clean
