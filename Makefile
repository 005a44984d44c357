# make demo    a real chest radiograph through both ends of the link, with a picture of the result
# make test    the test suite
# make quick   the tests that need no network, no training and no large compilation: two minutes
# make check   style and types
# make nightly every script with --tiny; lists those that fail
# make coverage the test suite, with the lines that it misses
# make docs    the pages of docs/ as a site in out/site, with warnings as errors
# make release wheel and sdist in out/dist, and the wheel tried in an empty environment
# make fuzz    damaged files into every reader, SECONDS each; for a nightly run
#
# Each makes .venv and installs what it needs. Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export JAX_PLATFORMS ?= cpu
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/jax

.PHONY: demo test quick coverage check docs nightly release fuzz clean

demo: $(VENV)/.demo
	$(BIN)/medsr demo --out out/demo

WORKERS := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
test: $(VENV)/.dev
	$(BIN)/python -m pytest $(WORKERS) --durations=15

QUICK := tests/jpeg tests/imaging tests/transmission tests/data/test_crops.py tests/data/test_levels.py \
	tests/data/test_patients.py tests/data/test_windows.py tests/training/test_config.py tests/evaluation/test_statistics.py \
	$(wildcard tests/test_*.py)
quick: $(VENV)/.dev
	$(BIN)/python -m pytest $(WORKERS) $(QUICK) --ignore=tests/test_extras.py

coverage: $(VENV)/.dev
	$(BIN)/python -m pytest $(WORKERS) --cov=medsr_jax --cov-report=term:skip-covered

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

nightly: $(VENV)/.dev
	MEDSR_SLOW=1 $(BIN)/python -m pytest $(WORKERS) -m slow
	$(BIN)/python scripts/check/nightly.py

# Not --quiet, which silences --strict too.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

release: $(BIN)/python
	$(BIN)/python scripts/release/build.py --out out/dist

SECONDS ?= 60
SEED ?= 0
fuzz: $(VENV)/.dev
	$(BIN)/python scripts/check/fuzz_readers.py --seconds $(SECONDS) --seed $(SEED)
	$(BIN)/python scripts/check/fuzz_packets.py --seconds $(SECONDS) --seed $(SEED)
	$(BIN)/python scripts/check/fuzz_weights.py --seconds $(SECONDS) --seed $(SEED)

clean:
	rm -rf $(VENV) .cache out build *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "medsr_jax needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $$($(BIN)/python constraints/choose.py) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $$($(BIN)/python constraints/choose.py) --editable '.[train,demo,dev]'
	@touch $@

$(VENV)/.docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $$($(BIN)/python constraints/choose.py) --editable '.[docs]'
	@touch $@
