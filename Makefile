# The two commands of the README: `make run` opens the app, `make test` runs all tests. Each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test check format picture clean

run: $(VENV)/.installed
	@$(BIN)/minigpt-tui

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.installed: pyproject.toml constraints.txt
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
	rm -rf $(VENV) .ns build dist *.egg-info .pytest_cache .ruff_cache
