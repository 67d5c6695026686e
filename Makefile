# `make demo` and `make test` work from a fresh clone with Python 3.10 or newer.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check format docs clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[convert]'
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[convert,dev]'
	touch $@

