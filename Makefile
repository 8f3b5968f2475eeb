# Needs Python >= 3.11, git and make; brings its own uv (.uv/) and environment (.venv/). A second `make` costs nothing.
PYTHON ?= python3
UV_VERSION := 0.13.8
UV := .uv/bin/uv
BIN := .venv/bin
AS_OF ?= 2021-03-31
SYNCED := .venv/.synced
READY := .venv/.prepared
DBT_FILES := $(shell find dbt_project -type d \( -name target -o -name logs \) -prune -o -type f -print)

export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.DEFAULT_GOAL := help
.PHONY: help environment demo test check format up bench clean

help:
	@echo "make demo    run the whole pipeline on the bundled real data and write a report"
	@echo "make test    run the test suite"
	@echo "make check   linters, types, import borders"
	@echo "make format  rewrite Python files in the project's format"
	@echo "make up      Dagster UI and schedules on http://127.0.0.1:3000"
	@echo "make bench   print the benchmark figures"
	@echo "make clean   stop the embedded server and remove the environment; the data in .holdfast/ stays"

environment: $(READY)

demo: $(READY)
	@HOLDFAST_SOURCES=none $(BIN)/holdfast run --inputs examples/demo/inputs --as-of $(AS_OF)
	@$(BIN)/holdfast report
	@echo
	@echo "Where to look next"
	@echo "  the report       open the HTML file named above in a browser"
	@echo "  SQL              psql \"\$$($(BIN)/holdfast db url)\" -c 'select * from marts.portfolio_performance'"
	@echo "  the asset graph  $(BIN)/holdfast up   (http://127.0.0.1:3000)"
	@echo "  your own data    README.md, 'Your own portfolio'"
	@echo "  stop the server  $(BIN)/holdfast down"

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models --disable-progress-bar
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

up: $(READY)
	$(BIN)/holdfast up

bench: $(READY)
	@for file in benchmarks/[a-z]*.py; do \
	  echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename "$$file" .py) || exit 1; done

clean:
	@if [ -x $(BIN)/holdfast ]; then $(BIN)/holdfast down; fi
	rm -rf .venv .uv dbt_project/target dbt_project/logs logs *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@echo "The published data in .holdfast/ stays; remove that folder yourself if you mean to lose it."

$(UV):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Holdfast needs Python 3.11 or newer; '$(PYTHON)' was not found. Install it, or: make PYTHON=/path/to/python3.11"; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Holdfast needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version). Try: make PYTHON=python3.11"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its modules venv and ensurepip are missing."; \
	  echo "Debian and Ubuntu keep them apart: sudo apt install python3-venv. Or: make PYTHON=/path/to/a/full/python3"; \
	  exit 1; }
	@echo "uv $(UV_VERSION) into .uv/"
	@rm -rf .uv
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# the lock carries a hash for every file; --frozen installs it as it stands
$(SYNCED): uv.lock pyproject.toml | $(UV)
	@echo "environment into .venv/: about 2 GB, a few minutes the first time"
	@$(UV) sync --quiet --frozen --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

# Dagster reads the parsed dbt project when it loads
$(READY): $(SYNCED) $(DBT_FILES)
	@$(BIN)/holdfast prepare
	@touch $@
