# Each target sets up what it needs: on a fresh machine `make reproduce` and `make test` are all there is to type.
.DEFAULT_GOAL := help
SHELL := bash
PROFILE ?= nano
PY := .venv/bin/python

# The home folder stays clean.
export IPYTHONDIR := $(CURDIR)/.cache/ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/.cache/jupyter/config
export JUPYTER_DATA_DIR := $(CURDIR)/.cache/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CURDIR)/.cache/jupyter/runtime
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export HF_HUB_DISABLE_TELEMETRY := 1
export TRL_EXPERIMENTAL_SILENCE := 1

.PHONY: help setup assets reproduce test notebooks bench lint clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## build .venv and .venv-plot, find a Chromium
	@bash reproduce/setup/install.sh

assets: setup ## download the matplotlib gallery and real web pages
	@$(PY) reproduce/setup/assets.py

reproduce: assets ## run the notebooks end to end, print Tables 1 to 3 [PROFILE=nano|gpu|paper]
	@$(PY) -m reproduce --profile $(PROFILE)

test: assets ## pytest, then the notebooks against their saved outputs
	@$(PY) -m pytest
	@$(PY) -m pytest -p no:cacheprovider --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg notebooks

notebooks: assets ## open JupyterLab
	@$(PY) -m jupyterlab --notebook-dir notebooks

bench: assets ## the speed figures, each a ratio in one run
	@for bench in bench/*.py; do echo "== $$bench"; $(PY) $$bench || exit 1; done

lint: setup ## ruff
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

clean: ## remove what was built, downloaded and computed; results/ stays
	rm -rf .venv .venv-plot .cache data runs
