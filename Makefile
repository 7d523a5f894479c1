# make demo, make test and make lint install what they need into .venv, or into the active environment.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo voice test test-slow lint docs format bench bench-peers

VENV := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),$(CURDIR)/.venv)
BIN := $(VENV)/bin
JOBS ?= 2
SHELL_FILES = .ci/run $(shell find egs tools utils -name exp -prune -o -type f -name '*.sh' -print)

help:
	@echo "make demo       set up, then run the demo recipe from scores to singing (about 10 minutes)"
	@echo "make voice      run the demo recipe anew and put its voice into the package"
	@echo "make test       set up, then run the tests"
	@echo "make test-slow  the tests that take longer"
	@echo "make lint       ruff, shellcheck, layers and circles of the package, the length of files; lines by room"
	@echo "make docs       the documentation as a site, in site/"
	@echo "make format     let ruff rewrite the Python files"
	@echo "make bench      speed of each stage on the demo corpus, of singing, of the studio; growth by utterances"
	@echo "make bench-peers  the same work here and in NNSVS, side by side, in an environment of its own"
	@echo "make setup      only install"

setup:
	@tools/setup.sh

demo: setup
	@cd egs/demo/svs1 && ./run.sh --stage 0 --stop-stage 6 --nj $(JOBS)

# Of a folder of its own, so that the voice is what the recipe makes as it stands.
voice: setup
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && cd egs/demo/svs1 && \
	./run.sh --stage 0 --stop-stage 5 --nj $(JOBS) --db-root "$$work/downloads" --datadir "$$work/data" \
	    --dumpdir "$$work/dump" --expdir "$$work/exp" --logdir "$$work/log" && \
	$(BIN)/nnsvs-lite pack "$$work/exp/acoustic_resf0_conv_world_24k" -o $(CURDIR)/nnsvs_lite/voices/demo.nnsvs \
	    --onnx --corpus demo --licence "$$work/data/train/LICENSE"

# Workers share the cores, so each computes on one thread.
test: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(JOBS)

test-slow: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n $(JOBS)

lint: setup
	@$(BIN)/ruff check nnsvs_lite tests egs tools
	@$(BIN)/ruff format --check nnsvs_lite tests egs tools
	@$(BIN)/lint-imports
	@$(BIN)/shellcheck $(SHELL_FILES)
	@$(BIN)/python tools/house.py

docs: setup
	@$(BIN)/python -c 'import mkdocstrings_handlers.python' 2>/dev/null || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]' --no-build-isolation
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --site-dir site
	@echo "site/index.html; with its search: $(BIN)/python -m http.server -d site"

format: setup
	@$(BIN)/ruff check --fix nnsvs_lite tests egs tools
	@$(BIN)/ruff format nnsvs_lite tests egs tools

bench: setup
	@$(BIN)/python tools/bench.py
	@$(BIN)/python tools/bench_studio.py
	@$(BIN)/python tools/bench_growth.py
	@$(BIN)/python tools/bench_sing.py --strict

bench-peers: setup
	@$(BIN)/python tools/bench_peers.py
