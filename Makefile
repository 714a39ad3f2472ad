# make demo   the whole loop on real documents        make test      checks and the fast tests (what CI runs)
# make check  lint, types, architecture               make test-all  the slow tests too

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-all check env env-dev

demo: env
	$(BIN)/python -m selfstudy.apps.demo

test: check
	$(BIN)/python -m pytest -m "not slow"

test-all: check
	$(BIN)/python -m pytest

check: env-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports

env: $(VENV)/.ready
env-dev: $(VENV)/.ready-dev

# torch comes first and alone: whatever is resolved beside it could choose a CUDA build.
$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
