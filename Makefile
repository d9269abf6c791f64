# Few words. `make` alone says them.
.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test lint messages bench clean
MAKEFLAGS += --no-print-directory
RUN := .venv/bin/dataspace
BIN := .venv/bin

help:
	@echo 'make demo        start everything with demo data, until Ctrl-C'
	@echo 'make demo-reset  throw the demo data away and start over'
	@echo 'make test        lint, then every test, browser tests included'
	@echo 'make lint        style, types, import rules, migrations, settings'
	@echo 'make messages    update and compile the translations'
	@echo 'make bench       measure, against raw DuckDB in the same run'
	@echo 'make clean       delete the environment and all data below var/'

# The environment follows uv.lock: once made, these cost nothing.
.venv/.for-use: uv.lock pyproject.toml
	@sh dataspace/machine/environment.sh --no-dev
	@touch $@

.venv/.for-tests: uv.lock pyproject.toml
	@sh dataspace/machine/environment.sh
	@touch $@ .venv/.for-use

demo: .venv/.for-use
	@$(RUN) doctor --fix --quiet
	@$(RUN) demo

demo-reset: .venv/.for-use
	@$(RUN) demo-reset
	@$(RUN) doctor --fix --quiet
	@$(RUN) demo

test: .venv/.for-tests
	@$(RUN) doctor --fix --tests
	@$(MAKE) lint
	@$(RUN) test -n 2 --dist loadfile $(ARGS)

lint: .venv/.for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(RUN) manage makemigrations --check --dry-run
	DJANGO_SETTINGS_MODULE=dataspace.settings.prod $(RUN) manage check --deploy --fail-level WARNING

messages: .venv/.for-tests
	@$(RUN) messages

bench: .venv/.for-tests
	@$(RUN) bench $(ARGS)

clean:
	@if [ -x $(RUN) ]; then $(RUN) demo-reset; fi
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
