# The project's front door. `make` alone says what there is. Everything is set up in $(VENV), once.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
# Most tests that take long wait for processes, so there are more of them at once than cores. What fails
# on a busy machine may pass at once after: it is told (RERUN), and is a bug to be mended all the same.
WORKERS ?= -n 4 --dist worksteal --reruns 1 -raR
PYTEST ?= $(BIN)/python -m pytest
# Of the mutants of each module, how many are tried, and how many at once.
SHARE ?= 0.4
AT_ONCE ?= 2
# Where Python may not keep what it compiles, each of the many processes would compile everything: those
# of pytest what it has rewritten, all others what is there.
COMPILED = motia_django sample_project tests benchmarks scripts
COMPILE = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q $(COMPILED) >/dev/null; \
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q --collect-only >/dev/null || true

BIN := $(VENV)/bin
DEV := $(VENV)/.installed-dev
TEST := $(VENV)/.installed-test
BENCH := $(VENV)/.installed-bench
MYSQL := $(VENV)/.installed-mysql
GRID := $(VENV)/.installed-grid
AUDIT := $(VENV)/.installed-audit
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage lint audit grid bench newcomer chaos mutants docs screenshots servers
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

help:  ## say what there is
	@echo "motia_django: make TARGET [PYTHON=python3] [VENV=.venv]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(TEST) servers  ## all that a contributor needs, once; then see CONTRIBUTING.md

demo: $(DEV)  ## the tutorial, running: PORT=8000, admin at /admin/ (admin, admin)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python -m scripts.make_demo_admin
	@exec $(BIN)/python manage.py motia_steps dev --port $(PORT) --note "Login    admin, password admin (of the demo only); orders on their way: /live/"

test: $(TEST)  ## lint, then all tests, with real servers: on SQLite, PostgreSQL and MariaDB
	@$(MAKE) servers
	@$(MAKE) lint
	@$(if $(PYTHONDONTWRITEBYTECODE),$(COMPILE))
	@failed=; \
	echo "== tests on SQLite"; \
	$(PYTEST) $(WORKERS) -q || failed="$$failed SQLite"; \
	echo "== tests on PostgreSQL (of all that asks the project's database)"; \
	MOTIA_TEST_DATABASE=postgresql $(PYTEST) $(WORKERS) -q || failed="$$failed PostgreSQL"; \
	echo "== tests on MariaDB (of all that asks the project's database)"; \
	if $(BIN)/python -c 'from tests.servers.mariadb import Mariadb; exit(Mariadb.missing())'; \
	then MOTIA_TEST_DATABASE=mariadb $(PYTEST) $(WORKERS) -q || failed="$$failed MariaDB"; \
	elif test "$(CI)" = true; then failed="$$failed MariaDB"; fi; \
	if test -n "$$failed"; then echo "Tests failed on:$$failed" >&2; exit 1; fi

coverage: $(TEST)  ## how much of the package all those tests run, by lines and branches
	@$(BIN)/python -m coverage erase
	@$(MAKE) test PYTEST="$(BIN)/python -m coverage run -m pytest --timeout 600"
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

lint: $(TEST)  ## ruff, mypy, the layers of imports, bandit, missing migrations, the rules of this house
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --ini setup.cfg --recursive motia_django
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python -m pytest -qq tests/docs/test_contributing.py tests/docs/test_architecture.py

audit: $(AUDIT)  ## what is known of holes in the packages that are installed (it asks the network)
	@$(BIN)/pip-audit --local --skip-editable --progress-spinner off

grid: $(GRID)  ## the tests on every Python, Django and database we support, and with the lowest versions
	@$(MAKE) servers
	@mkdir -p .tox
	@$(BIN)/python -m scripts.lowest_versions > .tox/lowest.txt
	@PYENV_VERSION="$(PYENVS)" UV_PYTHON_DOWNLOADS=never $(BIN)/tox

# pyenv hides all but its global version, unless told.
PYENVS = $(shell pyenv versions --bare 2>/dev/null | grep -E '^3\.1[1-3]\.[0-9]+$$' | paste -sd: -)

bench:  ## the benchmarks, beside what else there is; WRITE=1 puts them into docs/performance.md
	@$(MAKE) $(TEST) $(BENCH)
	@$(MAKE) servers
	@scripts/install_wrk.sh
	@$(BIN)/python -m benchmarks $(if $(WRITE),--write-docs)

newcomer:  ## the first five minutes, timed: what README says to type, on an empty machine
	@$(MAKE) $(TEST)
	@$(BIN)/python -m benchmarks.newcomer $(if $(WRITE),--write-docs)

chaos:  ## the promises under fire: half an hour; QUICK=1 for the short form
	@$(MAKE) $(TEST)
	@$(MAKE) servers
	@$(BIN)/python -m benchmarks.chaos $(if $(QUICK),--quick)

mutants: $(TEST)  ## whether tests notice what is wrong in runs and the ledger; SHARE=1 for all of it
	@$(BIN)/python -m benchmarks.mutants --share $(SHARE) --at-once $(AT_ONCE)

docs: $(TEST)  ## the documentation as a site, in docs/_build/site, without a warning
	@$(BIN)/python -m scripts.build_docs

screenshots: $(TEST)  ## the pictures in the documentation
	@$(MAKE) servers
	@$(BIN)/python -m scripts.take_screenshots

servers: $(BIN)/pip  ## what the tests need besides Python: servers and Chromium, by apt; Motia's clients, by npm
	@PYTHON=$(BIN)/python scripts/install_servers.sh
	@scripts/install_clients.sh
	@$(MAKE) $(MYSQL)

# -- the virtual environment: made once, installed into again when setup.cfg changes

$(DEV): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "Installing what the demo needs into $(VENV) (once; about a minute)."
	@$(INSTALL) -e '.[dev]'
	@touch $@

$(TEST): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "Installing what the tests need into $(VENV) (once; about two minutes)."
	@$(INSTALL) -e '.[test,beat,lint]'
	@touch $@

$(BENCH): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "Installing what is measured beside ours into $(VENV) (once)."
	@$(INSTALL) -e '.[bench]'
	@touch $@

# Without a compiler it cannot be built; then the tests on MariaDB are skipped, unless CI=true.
$(MYSQL): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "Building mysqlclient into $(VENV) (once)."
	@$(INSTALL) -e '.[mysql]' && touch $@ || test "$(CI)" != true

$(AUDIT): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "Installing pip-audit into $(VENV) (once)."
	@$(INSTALL) -e '.[audit]'
	@touch $@

$(GRID): setup.cfg pyproject.toml | $(BIN)/pip
	@echo "Installing tox into $(VENV) (once)."
	@$(INSTALL) -e '.[grid]'
	@touch $@

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here: install Python 3.11 or newer, or name yours:" >&2; \
	  echo "  make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "motia_django needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its module venv or ensurepip is missing." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
