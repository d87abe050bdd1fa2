# Two commands do everything on a machine with Python 3.11 and nothing else: `make demo` and `make test`.
# Only relative paths below, so that a checkout may lie on a path with spaces.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export OMP_WAIT_POLICY ?= PASSIVE
QUICK := not slow and not gpu and not ray and not browser and not data

.PHONY: help demo install test test-slow test-all lint clean
help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

install: $(VENV)/installed  ## make .venv and install canonface with everything that development needs

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "canonface needs Python 3.11 or newer: make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install  ## run the main job on the bundled photos; the result lies in demo-result
	$(RUN) -m canonface demo -o demo-result

test: install  ## the tests that any machine can run, in a few minutes
	$(RUN) -m pytest -n 2 -m "$(QUICK)"

test-slow: install  ## what `make test` leaves out: slow tests, and those that need the data sets (CANONFACE_DATA)
	$(RUN) -m pytest -n 2 -m "not ($(QUICK))"

test-all: test test-slow  ## both

lint: install  ## style and types
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

clean:  ## remove what the commands above made
	rm -rf $(VENV) demo-result build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
