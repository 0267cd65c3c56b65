# The two commands of the README: `make run` opens the app, `make test` runs the tests. Each sets up .venv by itself.
# `make test-long` runs the tests that take long by their nature.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Files of tests run side by side: one process for each core and one more, because many tests wait for a process or a
# terminal. They run in their order: sorted by how many tests they have, the few slow ones come last and one core waits.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Compiled modules are kept, also where the environment says otherwise: the tests start hundreds of processes.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test test-long bench gpu-check check format picture clean

run: $(VENV)/.installed
	@exec $(BIN)/minigpt-tui

test: $(VENV)/.installed-dev
	$(PYTEST)

# One file of them takes as long as half of the others: a process that has nothing left takes over from the rest.
test-long: $(VENV)/.installed-dev
	$(PYTEST) --dist worksteal -m long --timeout 1200

# The engine beside other programs: make bench ARGS="train --nanogpt PATH"; see docs/benchmarks.md.
bench: $(VENV)/.installed
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(or $(ARGS),--help)

# All that only a GPU can show, some minutes long; ends in gpu-check.json.
gpu-check: $(VENV)/.installed-dev
	@PYTHONPATH=tests $(BIN)/python -m benchmarks gpu-check $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.installed: pyproject.toml constraints.txt $(wildcard models/native/*.[ch])
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "minigpt-tui needs Python 3.11 or newer; name one: make run PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) torch
	$(INSTALL) --editable .
	touch $@

# The checkers see the installed namespace through the link .ns/minigpt_tui (see pyproject.toml).
$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[dev]'
	mkdir -p .ns && ln -sfn .. .ns/minigpt_tui
	touch $@

picture: $(VENV)/.installed-dev
	$(BIN)/python docs/picture.py

clean:
	rm -rf $(VENV) .ns build dist *.egg-info .pytest_cache .ruff_cache models/fast/*.so
