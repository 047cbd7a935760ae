# On a machine with git, make and Python 3.11+: `make run` sets everything up and runs what params.yaml says.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
INSTALLED := $(VENV)/.installed
CORES ?= 4
SEED ?= 1
KILLS ?= 20
WORKERS ?= 3
INSTALLS := real_servers or real_programs or cluster

# An environment belongs to its folder: its programs name it. In a project that was moved or copied it is made again.
ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(CURDIR))
$(shell rm -f $(INSTALLED))
endif

.DEFAULT_GOAL := help
.PHONY: help run install test test-quick test-long check format benchmark crash-test

help:
	@echo "make run         set up what is missing, then run or continue what params.yaml describes"
	@echo "make install     set up only"
	@echo "make test        run the test suite"
	@echo "make test-quick  run the tests that take about a minute"
	@echo "make test-long   run the rest: rarer variants, many kills, and what needs real model servers, other programs"
	@echo "                 and Slurm, which it installs"
	@echo "make check       check style, types, and which package may import which"
	@echo "make benchmark   measure speed and memory, as a table"
	@echo "make crash-test  kill runs at random and check that nothing is lost (SEED=1 KILLS=20)"

run: $(INSTALLED)
	@$(BIN)/snakemake --cores $(CORES)

install: $(INSTALLED)

# Tests start programs thousands of times. Where the environment forbids to keep what was compiled, each of them would
# compile all that it imports.
test test-quick test-long: export PYTHONDONTWRITEBYTECODE :=

# The report is looked at in a browser; where Chromium is not to be had, that test is skipped and says so.
test: $(INSTALLED)
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "Installing Chromium for the test of the report (once)"; \
	  quick="-o Acquire::http::Timeout=20 -o Acquire::Retries=1"; \
	  { apt-get $$quick update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get $$quick install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || true; \
	fi
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not long and not ($(INSTALLS))"

test-quick: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-profile quick \
	  -m "not slow and not long and not ($(INSTALLS)) and not end_to_end and not embedded and not browser"

test-long: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "long and not ($(INSTALLS))" --durations=15
	@echo "Running real servers and programs one after the other, as a model uses all cores"
	@$(BIN)/python -m pytest tests/real_servers tests/real_programs -m "real_servers or real_programs" -rs --durations=15
	@echo "Running the cluster tests side by side, as they mostly wait (a Slurm for each test file)"
	@$(BIN)/python -m pytest tests/cluster -n 5 --dist loadfile -m cluster -rs --durations=15

check: $(INSTALLED)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(INSTALLED)
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/snakefmt Snakefile workflow

benchmark: $(INSTALLED)
	@$(BIN)/python -m benchmarks.whole_run --all
	@$(BIN)/python -m benchmarks.around
	@$(BIN)/python -m benchmarks.resume
	@$(BIN)/python -m benchmarks.servers
	@$(BIN)/python -m benchmarks.snapshots
	@$(BIN)/python -m benchmarks.monitoring
	@$(BIN)/python -m benchmarks.codebook
	@$(BIN)/python -m benchmarks.findings
	@$(BIN)/python -m benchmarks.variables
	@$(BIN)/python -m benchmarks.migration
	@$(BIN)/python -m benchmarks.reading
	@$(BIN)/python -m benchmarks.source
	@$(BIN)/python -m benchmarks.patterns
	@$(BIN)/python -m benchmarks.page

crash-test: $(INSTALLED)
	@$(BIN)/python -m tests.crash --seed $(SEED) --kills $(KILLS)

# Every package is pinned by its hash. uv takes seconds where pip takes a minute; where uv is not to be had, pip does it.
$(INSTALLED): requirements.lock pyproject.toml
	@python=; for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Python 3.11 or newer is needed: install it, then start the same command again." >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$($$python --version) (once, about a minute)"; \
	$$python -m venv --clear $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	@$(PIP) --require-hashes -r $(VENV)/uv.lock && \
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-deps --compile-bytecode -r requirements.lock || \
	$(PIP) --require-hashes --no-deps -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" > $@
