# Every target sets up what it needs: a bare Debian with python3, python3-venv and make is enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test mutants soak lint bench matrix clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMP) ## create $(VENV) and install hubkit with everything it is developed with

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing hubkit and its tools into $(VENV) (once, and again when pyproject.toml changes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## run the demo service on each installed hub and print a table
	$(BIN)/hubkit demo

test: $(STAMP) ## run the tests, and the conformance suite on all hubs; ARGS= goes to pytest
	$(BIN)/python -m pytest -rfEs tests conformance_tests $(ARGS)

mutants: $(STAMP) ## seeded faults: wrong hubs and primitives, and which test finds which; ARGS= as --help says
	$(BIN)/python -m hubkit_conformance.faults $(ARGS)

soak: $(STAMP) ## the conformance suite 50 times on each hub, on a machine kept busy; ARGS='--hub native --rounds 5'
	$(BIN)/python -m hubkit_conformance.soak $(ARGS)

lint: $(STAMP) ## ruff (rules and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## measure hubkit against the hosts it runs on
	$(BIN)/python -m benchmarks

matrix: $(STAMP) ## run the conformance suite on all hubs, or HUBS=, and write docs/conformance.md
	$(BIN)/python -m hubkit_conformance.matrix docs/conformance.md $(HUBS)

clean: ## remove the environment, builds and caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find hubkit adapters conformance_tests tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
