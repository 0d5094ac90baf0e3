# Each target makes .venv from requirements.lock when it must, then does its one thing.
# `make demo` runs the main job, `make test` is what CI runs.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := attest tests $(wildcard bench)
PYTEST := $(BIN)/python -m pytest -n auto

.PHONY: demo test test-full test-extra fuzz mutate lint format bench schema lock clean

demo: $(READY)
	@$(BIN)/attest demo

# The runner's closing line is the last one printed.
test: lint
	@$(PYTEST)

# Every byte of every blob, and everything else that takes long.
test-full: lint
	@$(PYTEST) -m "not extra"

# What needs another language's tools (Go, Node), a browser, an HSM or the clients of clouds; here a
# skipped test is a failed one.
test-extra: $(READY)
	@$(PYTEST) -m extra --no-skips

# Nearly right archives against the pack reader, from a new seed each time.
FUZZ_SECONDS ?= 300
fuzz: $(READY)
	@$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

# Every small change to the code that decides policies; lists those that no test notices.
mutate: $(READY)
	@$(BIN)/python -m tests.mutation.policy_code

lint: $(READY)
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

format: $(READY)
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m bench

# The JSON Schema of policies, from the table that loads them.
schema: $(READY)
	@$(BIN)/python .ci/policy_schema.py

lock:
	@.ci/lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Hashes pin every file that is installed; the project itself is built with the locked backend.
$(READY): requirements.lock pyproject.toml setup.py
	@python=$${PYTHON:-$(PYTHON)}; \
	[ -n "$$python" ] || python=$$(.ci/find-python) || exit 1; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$$python is not Python 3.11 or newer" >&2; exit 1; }; \
	echo "Making $(VENV) with $$python" >&2; \
	"$$python" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes --only-binary :all: -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--no-deps --no-build-isolation --editable .
	@touch $@
