# Verbs only; `make` alone lists them. Set-up happens by itself and only when it is needed.
# make turns every failure into its own exit code 2; scripts that need ours call .venv/bin/ecluse.
.DEFAULT_GOAL := help
.PHONY: help setup run ingest deploy versions rollback status docs psql demo-api pr-demo break fix stop test test-fast lint bench bench-publish bench-drift chaos lock clean

READY := @sh orchestration/setup.sh run
READY_DEV := @sh orchestration/setup.sh dev
BIN := .venv/bin

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv and install the locked requirements
	$(READY)

run: ## load, build, test and publish everything
	$(READY)
	@$(BIN)/ecluse run

ingest: ## load every source into raw, and nothing else
	$(READY)
	@$(BIN)/ecluse ingest

deploy: ## publish changed models on the data that readers have
	$(READY)
	@$(BIN)/ecluse deploy

versions: ## the versions of the marts that are kept
	$(READY)
	@$(BIN)/ecluse versions

rollback: ## bring the version before the live one back
	$(READY)
	@$(BIN)/ecluse rollback

status: ## the last runs, and what is fresh
	$(READY)
	@$(BIN)/ecluse status

docs: ## write the site (health, runs, tables, lineage, dbt docs) and serve it
	$(READY)
	@$(BIN)/ecluse docs

psql: ## open psql on the warehouse
	$(READY)
	@$(BIN)/ecluse psql

demo-api: ## serve the bundled shop API alone
	$(READY)
	@$(BIN)/ecluse demo-api

pr-demo: ## a pull request with a wrong join, and what ecluse ci says about it
	$(READY)
	@$(BIN)/python -m orchestration.ci.demo

BROKEN := wrong_total@orders?times=-1 wrong_type@customers?row=12&times=-1 out_of_range@supplies?row=3&times=-1

break: ## let the demo shop send bad data, until make fix
	@mkdir -p .warehouse && echo '$(BROKEN)' > .warehouse/demo_faults
	@echo "From the next run on the demo shop sends a customer and a supply that break their contract,"
	@echo "and an order that costs a cent more than its parts. make run shows what becomes of it."

fix: ## let the demo shop send good data again
	@rm -f .warehouse/demo_faults

stop: ## stop the embedded PostgreSQL
	$(READY)
	@$(BIN)/ecluse stop

test: lint ## everything that must hold before a merge
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long"

test-fast: ## the tests that take seconds
	$(READY_DEV)
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not long and not slow"

lint: ## ruff, mypy, sqlfluff, the directions of imports, sources in step with dbt
	$(READY_DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint dbt_project --disable-progress-bar
	@$(BIN)/ecluse sync --check

bench: ## ingestion beside psql's \copy and dlt's defaults, as ratios
	$(READY_DEV)
	@$(BIN)/python -m tests.bench.ingestion

bench-publish: ## publications in a row beside readers of every kind and pgbench
	$(READY_DEV)
	@$(BIN)/python -m tests.bench.publication

bench-drift: ## our detector of drift beside a z-score, on simulated and real series
	$(READY_DEV)
	@$(BIN)/python -m tests.bench.drift

chaos: ## kill runs, servers and the API: make chaos KILLS=200 SEED=7
	$(READY_DEV)
	@$(BIN)/python -m tests.chaos --kills=$(or $(KILLS),30) $(SEED:%=--seed=%) $(SERVER:%=--server=%)

lock: ## make the lock files anew from pyproject.toml
	$(READY_DEV)
	@sh orchestration/lock.sh

clean: stop ## forget everything local: warehouse, runs, docs, .venv
	@rm -rf .warehouse runs site target logs .venv .venv-airflow .venv-prefect
