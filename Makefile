PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLEAN := .venv-wheel
PIP := install --quiet --disable-pip-version-check --constraint constraints.txt

PYTEST := $(BIN)/pytest -n logical --dist worksteal

# The tests start hundreds of interpreters: none of them should compile all modules anew.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help demo test slow lint format docs bench wheel clean

help:  ## show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## find near-duplicates of real photos, from scratch (set-up included)
	$(BIN)/python notebooks/demo.py

test: lint $(VENV)/.compiled  ## lint, types, floors, the quick tests: before each commit (set-up included)
	$(PYTEST)

slow: $(VENV)/.compiled  ## all that the quick tests leave out: notebooks, demo, long runs, the wheel
	$(PYTEST) --thorough
	$(MAKE) --no-print-directory wheel

lint: $(VENV)/.test  ## ruff, mypy, import-linter, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check README.md docs/*.md

format: $(VENV)/.test  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.test  ## write the generated parts of README and docs anew
	$(BIN)/cog -r README.md docs/*.md

bench: $(VENV)/.test  ## measure, and write benchmarks/results (PHOTOS=FOLDER for your own)
	$(BIN)/python benchmarks/startup.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/copies.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/looks.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/plans.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/grades.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/hashing.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/keypoints.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/crops.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/groups.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/family.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/turned.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/recipe.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/atlas.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/report.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/pip install --quiet --group bench
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/search.py $(PHOTOS)
	test -z "$(PHOTOS)" || $(BIN)/python benchmarks/joins.py $(PHOTOS)

wheel: $(VENV)/.test $(CLEAN)/.dependencies  ## build the wheel, run its command line in a clean venv
	rm -rf dist
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(CLEAN)/bin/pip install --quiet --force-reinstall --no-deps dist/*.whl
	$(CLEAN)/bin/python -I tests/wheel_smoke.py

clean:  ## remove the virtual environments and what was built
	rm -rf $(VENV) $(CLEAN) .venv-peers build dist demo

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip $(PIP) --upgrade pip

$(VENV)/.demo: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing (a minute or two, once) …"
	$(BIN)/python -m pip $(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing (a minute or two, once) …"
	$(BIN)/python -m pip $(PIP) --editable . --group test --group lint
	@touch $@

$(VENV)/.compiled: $(VENV)/.test pipelines/hashlens/neighbors/kernels.py \
		pipelines/hashlens/neighbors/turned_kernels.py pipelines/hashlens/grouping/merging.py
	$(BIN)/python tests/helpers/warm.py
	@touch $@

$(CLEAN)/.dependencies: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(CLEAN)
	$(CLEAN)/bin/python -m pip $(PIP) --upgrade pip
	$(CLEAN)/bin/python -m pip $(PIP) .
	@touch $@
