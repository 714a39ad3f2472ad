# make demo   the whole loop on real documents        make test      checks and the fast tests (what CI runs)
# make check  lint, types, architecture               make test-all  the slow tests too
# make starter  the starter model anew out of labelled sets in DATA (hours)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

DATA ?= ../shared/data

.PHONY: demo test test-all check starter env env-dev

demo: env
	$(BIN)/python -m selfstudy.apps.demo

# A process for each file: torch, OpenVINO and LanceDB loaded together into one long process crash when it forks much later.
test: check
	for file in tests/test_*.py; do $(BIN)/python -m pytest -q -m "not slow" $$file || [ $$? -eq 5 ] || exit 1; done

test-all: check
	for file in tests/test_*.py; do $(BIN)/python -m pytest -q $$file || exit 1; done

check: env-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports

starter: env
	$(BIN)/python -m selfstudy.apps.starter --data $(DATA)

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
