# make install: a virtual environment with the project and all that development needs.
# make demo:    the main job on a sample catalog, shown as a page.
# make bench:   every speed benchmark in one table.
# make bench-gpu: one GPU against its limits, in 8 minutes; exit code 3 of the benchmark without one.
# make docs:    the site of docs/, in build/site.
# make test:    linters, type checker, layers, tests.  make test-server: on a real Milvus server.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test check test-server bench bench-gpu docs clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	rm -rf demo
	$(BIN)/zeroshelf demo demo

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

test-server: install
	$(BIN)/pip install --quiet --disable-pip-version-check 'milvus==2.3.5'
	unshare --net sh -c 'ip link set lo up && exec $(BIN)/pytest -n 0 -m server' # it listens everywhere; one a machine

bench: install
	$(BIN)/python -m benchmarks.speed

bench-gpu: install
	$(BIN)/python -m benchmarks.gpu

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

clean:
	rm -rf $(VENV) build dist demo *.egg-info
