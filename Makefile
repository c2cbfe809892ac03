# All targets use .venv, which is created from setup.cfg and constraints.txt and then reused.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
# Two processes, as CI has two cores; a third one makes all of them slower.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadscope --durations 10
# Tests that pass on every backend.
LIBRARY := tests/ls_base tests/ls_keras

# pip does not compile modules (saves half a minute); Python stores the bytecode of what it imports.
# Without stored bytecode, importing TensorFlow takes ten seconds longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-slow test-wheel test-peers check lint docs verify verify-faults clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/installed-all ## Train the default task with label smoothing, score it, translate five phrases
	run=runs/demo-$$(date +%Y%m%d-%H%M%S) \
	&& $(BIN)/lsk train --task translation --alpha 0.1 --run-dir $$run \
	&& $(BIN)/lsk phrases $$run

test: .venv/installed-test ## Run the tests on TensorFlow
	$(PYTEST) -m "not peers and not slow" tests

test-slow: .venv/installed-test ## Run the slow tests: examples, kills, packaging
	$(PYTEST) --no-loadscope-reorder -m "slow and not peers" tests # modules with few, long tests first
	KERAS_BACKEND=jax $(PYTEST) -m jax tests/engine

test-wheel: .venv/installed-test ## Run the library's tests against the built wheel, on JAX
	.ci/wheel

test-peers: .venv/installed-peers ## Compare with PyTorch and its metrics; the library on PyTorch
	$(PYTEST) -m peers tests
	KERAS_BACKEND=torch $(PYTEST) -m "(tables or not slow) and not tensorflow" $(LIBRARY)

check: lint docs ## Lint, check types, build the docs

lint: .venv/installed-dev ## Lint; check types, wording and spelling
	$(BIN)/python .ci/vocabulary
	git ls-files | xargs $(BIN)/codespell
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/installed-dev ## Build the documentation into docs/_build/html
	rm -rf docs/api/generated
	$(BIN)/sphinx-build -q -E -W --keep-going -b html docs docs/_build/html

verify: .venv/installed-all ## Run slow checks; DATA=FOLDER: also on real data (FOLDER/multi30k)
	$(BIN)/python benchmarks/verify.py $(DATA)

verify-faults: .venv/installed-test ## Kill trainings, fill disks, damage files (takes hours); FAULTS=OPTIONS
	$(BIN)/python benchmarks/verify_faults.py $(FAULTS)

clean: ## Remove build outputs and .venv; runs are kept
	rm -rf .venv build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache

.venv/installed-%: setup.cfg pyproject.toml constraints.txt | .venv/bin/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[$*]'
	@touch $@

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 was not found on the PATH. Install one, or set PYTHON" >&2; exit 2; }
	$(PYTHON) -m venv .venv
