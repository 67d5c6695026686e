# `make demo` and `make test` work from a fresh clone with Python 3.10 to 3.13.
PYTHON ?= python3
OF = import sys; print("%d.%d" % sys.version_info[:2])
VERSION := $(shell $(PYTHON) -c '$(OF)')
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
CHECK_SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema
DEMO := artifacts/efficientnet-lite0
PHOTOGRAPHS := build/photographs

.PHONY: demo test check lint lint-hosted fuzz format docs clean

# An int8 EfficientNet-Lite0 with ImageNet weights, compared with its float network.
demo: .venv/installed-demo
	$(BIN)/edgeeff convert --variant lite0 --int8 --force
	$(BIN)/python benchmarks/photographs.py $(PHOTOGRAPHS)
	$(BIN)/edgeeff evaluate $(DEMO)-int8.tflite --reference $(DEMO)-float32.tflite \
		--data $(PHOTOGRAPHS)
	$(BIN)/edgeeff inspect $(DEMO)-int8.tflite
	@echo
	@echo "model and manifest:   $(DEMO)-int8.tflite, $(DEMO)-int8.json"
	@echo "its float reference:  $(DEMO)-float32.tflite"
	@echo "photographs:          $(PHOTOGRAPHS)"

# Everything. What needs a missing system package is skipped and named: see CONTRIBUTING.md.
test: .venv/installed-dev
	$(PYTEST) -m 'not clock' $(PYTEST_OPTIONS)
	$(BIN)/python -m pytest -q -m clock $(CLOCK_OPTIONS)

# What to run before each commit: under three minutes on two cores.
check: lint
	$(PYTEST) -m 'not slow and not clock' $(PYTEST_OPTIONS)

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) --no-print-directory lint-hosted

# What only the place that hosts this repository runs or shows, by its schemas.
lint-hosted: .venv/installed-dev
	$(CHECK_SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(CHECK_SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(CHECK_SCHEMA) vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --quiet .github

# Mutants of models, pictures, recipes, manifests, labels, lists and benchmark documents, others each
# time: `make fuzz SECONDS=600` takes so long for each kind. Then mutants of graphs are quantized, three
# commands are killed KILLS times each, and classifiers of random layers are quantized. Those that fail
# are kept in build/fuzz.
SECONDS ?= 120
CLASSIFIERS ?= 500
QUANTIZED ?= 2000
KILLS ?= 67
fuzz: .venv/installed-dev
	mkdir -p build/fuzz
	EDGEEFF_FUZZ_SECONDS=$(SECONDS) EDGEEFF_FUZZ_SEED=$${EDGEEFF_FUZZ_SEED:-$$(date +%s)} \
		EDGEEFF_FUZZ_KEEP=build/fuzz $(BIN)/python -m pytest -q --timeout 0 tests/test_fuzz.py
	EDGEEFF_FUZZ_QUANTIZED=$(QUANTIZED) EDGEEFF_FUZZ_SEED=$${EDGEEFF_FUZZ_SEED:-$$(date +%s)} \
		EDGEEFF_FUZZ_KEEP=build/fuzz $(BIN)/python -m pytest -q -s --timeout 0 \
		tests/test_fuzz_quantize.py
	EDGEEFF_FUZZ_KILLS=$(KILLS) $(BIN)/python -m pytest -q -s --timeout 0 tests/test_kills.py
	$(BIN)/python -m tests.quantization.random_classifiers --count $(CLASSIFIERS) \
		--seed $${EDGEEFF_FUZZ_SEED:-0}

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Links lead somewhere, commands are documented, and tables are those of benchmarks/results/: after a
# change there, run `.venv/bin/python benchmarks/publish.py`.
docs: .venv/installed-dev
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_published_figures.py

# Leaves .venv and artifacts/ alone.
clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find edgeeff tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# One that is half-made, or of another Python than PYTHON, is made again.
.venv/of-$(VERSION):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "TensorFlow has packages for Python 3.10 to 3.13, $(PYTHON) is $(VERSION):" \
			"make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@[ "$$($(BIN)/python -c '$(OF)' 2>&1)" = "$(VERSION)" ] && $(BIN)/python -m pip --version \
		>/dev/null 2>&1 || { rm -rf .venv; $(PYTHON) -m venv .venv; } || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment: install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	@rm -f .venv/of-* && touch $@

.venv/installed-demo: pyproject.toml constraints.txt | .venv/of-$(VERSION)
	$(PIP) --editable '.[convert,demo]'
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/of-$(VERSION)
	$(PIP) --editable '.[fit,dev]'
	touch $@
