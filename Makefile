# Everything is done in .venv; a machine needs Python 3.11 or newer (below 3.14), make and git.
PYTHON ?= python3
BIN := .venv/bin
# Python compiles what is used and keeps it; only where it may not keep anything is all compiled beforehand. What is run
# from here may: a run starts processes, the tests start some hundred, and each would compile the project anew.
ifdef PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1
endif
unexport PYTHONDONTWRITEBYTECODE

# The tests' processes take all cores: threads of a matrix library beside them would only wait in circles.
test test-random coverage: export OPENBLAS_NUM_THREADS = 1

.PHONY: demo test test-random coverage mutants ui serve notebook pictures lint lock audit clean bench bench-full bench-load

demo: .venv/ready        ## three dates of the sandbox, a model, a Bento that answers over HTTP
	$(BIN)/lyrics demo

test: .venv/dev          ## all tests, on all cores
	$(BIN)/pytest -n auto -p no:randomly

test-random: .venv/dev   ## the same in a random order, which is printed as a seed
	$(BIN)/pytest -n auto

coverage: .venv/dev      ## what of the packages without Dagster their own tests reach, branches too; fails below 95 %
	$(BIN)/pytest -n auto --cov --cov-report=term-missing lyrics_assets_tests/lyrics lyrics_assets_tests/model \
	  lyrics_assets_tests/serving lyrics_assets_tests/scrapy_project lyrics_assets_tests/resources/test_tuning_wandb.py

mutants: .venv/dev       ## which small changes of four modules no test notices; in a copy of the tree; some hours
	rm -rf var/mutants
	mkdir -p var/mutants
	cp -R lyrics_assets lyrics_assets_tests scrapy_project pyproject.toml var/mutants
	cd var/mutants && $(CURDIR)/$(BIN)/uv tool run --python $(CURDIR)/$(BIN)/python \
	  --with-requirements $(CURDIR)/requirements.lock "mutmut==3.8.1" run
	cd var/mutants && $(CURDIR)/$(BIN)/uv tool run --python $(CURDIR)/$(BIN)/python "mutmut==3.8.1" results

ui: .venv/ready          ## the sandbox and the Dagster UI at http://127.0.0.1:3000
	$(BIN)/lyrics ui

serve: .venv/ready       ## the newest Bento at http://127.0.0.1:3001
	$(BIN)/lyrics serve

notebook: .venv/dev      ## notebooks/exploration.ipynb anew, on what the home holds
	$(BIN)/python notebooks/execute.py

pictures: .venv/dev      ## the page's pictures in docs/ anew, from the home's newest Bento; needs Chromium
	$(BIN)/python -m lyrics_assets_tests.serving.pictures

lint: .venv/dev          ## style, formatting, types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

bench: .venv/dev         ## what things cost beside their peers, at small sizes: some minutes; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks

bench-full: .venv/dev    ## the same at the real sizes: some hours
	$(BIN)/python -m benchmarks --full

bench-load: .venv/dev    ## seconds to load the code location, beside importing dagster alone
	$(BIN)/python -m benchmarks load

lock: .venv/uv           ## compile requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --upgrade \
	  --python-version 3.11 --extra production --group test --group lint pyproject.toml --output-file requirements.lock \
	  --custom-compile-command "make lock"

audit: .venv/uv          ## look for known weaknesses of what is locked; asks the internet, so no test does it
	$(BIN)/uv tool run "pip-audit>=2.9,<3" --strict --require-hashes --disable-pip \
	  --requirement requirements.lock

clean:                   ## remove the environment and everything that runs have written under var/
	rm -rf .venv var *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Each is made again only when the lock or the metadata has changed.
# The lock holds the tools of the tests too: as constraints it pins each package, its content too, and only what is
# asked for is installed.
.venv/ready: requirements.lock pyproject.toml | .venv/uv
	$(BIN)/uv pip install --quiet --constraint requirements.lock --editable .
	touch $@

.venv/dev: .venv/ready
	$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --editable .
	touch $@

.venv/uv:
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] < (3, 14), "Python 3.11, 3.12 or 3.13 is needed"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	touch $@
