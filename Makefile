# make demo   the whole loop on real documents        make test      checks and the fast tests (what CI runs)
# make check  lint, types, architecture               make test-all  the slow tests too
# make tree   README's tree of files, anew            make starter   the starter model anew out of labelled sets in DATA (hours)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

DATA ?= ../shared/data

# The longest tests begin first.
LONG := $(foreach name,adapt generator int8 imitation models light hf api_embedder,tests/test_$(name).py)
TESTS := $(LONG) $(filter-out $(LONG),$(wildcard tests/test_*.py))
MARK := -m "not slow"
EACH := OMP_NUM_THREADS=1 $(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going

.PHONY: demo test test-all check tree starter env env-dev $(TESTS)

demo: env
	$(BIN)/python -m selfstudy.apps.demo

# A process for each file: torch, OpenVINO and LanceDB loaded together into one long process crash when it forks much later.
# Two at a time, a thread of torch each; what a file prints is shown when it is done.
test: check
	$(EACH) $(TESTS)

test-all: check
	$(EACH) MARK= $(TESTS)

$(TESTS):
	$(BIN)/python -m pytest -q -p no:cacheprovider $(MARK) $@ || [ $$? -eq 5 ]

check: env-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tree: env
	$(BIN)/python tests/readme_tree.py

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
