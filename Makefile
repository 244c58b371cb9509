# demo and test create what they need; every other word is for working on the code.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PHOTOGRAPHS := build/photographs
# Not tried again over PostgreSQL: what asks no database, and faults of disk and network, which are the same there.
WITHOUT_DATABASE := browser runner faults/test_full_disk.py faults/test_network.py faults/test_chaos.py

.PHONY: demo test test-postgres faults lint docs bench clean help

help:
	@echo "make demo   evaluate real models on real ImageNet photographs and show them on a site (installs what it needs into $(VENV); ARGS=--keep without a terminal)"
	@echo "make test   run the linters and every test"
	@echo "make test-postgres  run the site's tests over a PostgreSQL of their own"
	@echo "make faults  200 builds while everything around them is killed at random (as root; ARGS=\"--builds 20 --seed 7\")"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make docs   build the documentation into build/docs"
	@echo "make bench  measure the speed, write the tables of docs/performance.md"
	@echo "make clean  remove the environment and everything built"

demo: $(VENV)/.installed $(PHOTOGRAPHS)/.complete
	$(BIN)/python tools/demo.py $(PHOTOGRAPHS) $(ARGS)

test: lint $(PHOTOGRAPHS)/.complete
	TORCHBENCH_TEST_PHOTOGRAPHS=$(abspath $(PHOTOGRAPHS)) $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

test-postgres: $(VENV)/.installed
	$(BIN)/python tools/with_postgres.py $(BIN)/python -m pytest -n auto --dist loadfile packages/sotabench $(WITHOUT_DATABASE:%=--ignore=packages/sotabench/tests/%) $(ARGS)

faults: $(VENV)/.installed
	PYTHONPATH=packages/sotabench/tests $(BIN)/python -m faults.chaos $(ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs-installed
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -b html docs build/docs

bench: $(VENV)/.bench-installed $(PHOTOGRAPHS)/.complete
	$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "torchbench needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(wildcard packages/*/pyproject.toml packages/*/setup.py packages/torchbench/src/*/loading/*.c packages/torchbench/src/*/loading/*.h) requirements/dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e packages/benchrecord -e packages/torchbench -e "packages/sotabench[server,postgres,runner]" -r requirements/dev.txt
	touch $@

$(VENV)/.docs-installed: $(VENV)/.installed requirements/docs.txt
	$(BIN)/python -m pip install --quiet -r requirements/docs.txt
	touch $@

$(VENV)/.bench-installed: $(VENV)/.installed requirements/bench.txt requirements/bench-dali.txt
	$(BIN)/python -m pip install --quiet -r requirements/bench.txt
	-$(BIN)/python -m pip install --quiet -r requirements/bench-dali.txt
	touch $@

$(PHOTOGRAPHS)/.complete: requirements/photographs.txt tools/photographs.py | $(VENV)/.installed
	$(BIN)/python -m pip download --quiet --no-deps --only-binary :all: --dest build/wheels -r requirements/photographs.txt
	$(BIN)/python tools/photographs.py build/wheels $(PHOTOGRAPHS)
	touch $@
