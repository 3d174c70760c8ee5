# The two commands a newcomer needs: `make demo` and `make test`. `make help` lists the rest.
# Everything is installed on first use into .venv (another place: VENV=DIR); the second time takes a second.
# GPU=1 installs torch with CUDA instead of its CPU build; TORCH_INDEX=URL takes torch from another package index.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-docs demo test lint bench bench-views eval docs view clean distclean

SEQ ?=
OUT ?= out/demo
MODE ?= rgbd
ARGS ?=

IN_ENV := . scripts/env.sh &&
quoted = '$(subst ','\'',$(1))'

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what is missing, build the interfaces; then `source scripts/env.sh`. GPU=1: torch with CUDA
	@scripts/setup.sh

setup-dev:
	@scripts/setup.sh --dev

setup-docs:
	@scripts/setup.sh --docs

demo: setup  ## map a sequence through real ROS 2 nodes: SEQ=folder or bag (default: the sample), MODE=rgb: colour alone, OUT=out/demo, ARGS=
	@$(IN_ENV) sem-field demo $(if $(filter rgb,$(MODE)),--depth-source predicted) $(if $(SEQ),--seq $(call quoted,$(SEQ))) --out $(call quoted,$(OUT)) $(ARGS)

test: setup-dev  ## the whole suite with the real-node tests, ruff and mypy: ARGS=what to pass to pytest
	@scripts/test.sh $(ARGS)

lint: setup-dev  ## ruff (lint and format) and mypy
	@scripts/test.sh --lint-only

bench: setup  ## SEQ=... our mapper beside Open3D's colour integration, per stage: out/bench.json
	@$(IN_ENV) python benchmarks/mapping.py $(call quoted,$(or $(SEQ),samples/room)) $(ARGS)

bench-views: setup  ## time of rendering novel views with GSNeRF, per stage, beside another field
	@$(IN_ENV) python benchmarks/views.py $(call quoted,$(or $(SEQ),samples/living_room)) --peer gnesf_view_homes $(ARGS)

eval: setup  ## every shipped model on the mini benchmark: one table, out/eval.json; SEQ=... on another sequence
	@$(IN_ENV) sem-field evaluate models $(if $(SEQ),$(call quoted,$(SEQ))) --out out/eval.json $(ARGS)

docs: setup-docs  ## the documentation as a site with search and the Python API: out/site/index.html
	@$(IN_ENV) NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet
	@echo "out/site/index.html"

clean:  ## remove outputs and caches, keep the environment
	rm -rf out/ .pytest_cache .mypy_cache .ruff_cache .hypothesis build install log
	find src tests benchmarks launch -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## also remove the environment: the next make installs it anew
	rm -rf .venv ros2_ws/build ros2_ws/install ros2_ws/log src/*.egg-info
