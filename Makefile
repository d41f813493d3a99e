# Everything sets itself up: `make play` and `make test` on a bare Debian 12 or Raspberry Pi OS, without root.
# What was installed is remembered by stamps in the virtual environment, renewed when pyproject.toml or
# constraints.txt change, so a second call starts at once.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$name; break; }; done)
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
NEEDS := pyproject.toml constraints.txt
# ALSA headers need root to install; with them and a compiler the ALSA driver is built too, without them it is left out.
HEADERS := $(wildcard /usr/include/alsa/asoundlib.h)
ALSA := $(if $(HEADERS),$(if $(shell command -v gcc),$(VENV)/.stamp-alsa))
RUNS := runs
CONTINUE = $(if $(wildcard $(RUNS)/$(1)/checkpoint.pt),--resume)

.DEFAULT_GOAL := help
.PHONY: help play test lint bench train bundle clean

help:  ## show this list
	@echo "make TARGET [PYTHON=python3.12] [ARGS='...']"
	@grep -hE '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 12

play: $(VENV)/.stamp-play $(ALSA)  ## play: the instrument in your browser, knobs and all (ARGS goes to latido sim)
	@$(BIN)/latido sim $(ARGS) || test $$? -eq 130

test: $(VENV)/.stamp-test $(ALSA)  ## run the tests (ARGS goes to pytest)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.stamp-test  ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.stamp-test  ## measure, side by side with what it is compared to (ARGS: areas)
	@$(BIN)/python -m bench $(ARGS)

train: $(VENV)/.stamp-test  ## train both factory models into runs/ (continues what was interrupted; data: see docs/training.md)
	$(BIN)/latido-train rhythm-factory --out $(RUNS)/rhythm-factory $(call CONTINUE,rhythm-factory) $(ARGS)
	$(BIN)/latido-train sound-factory --out $(RUNS)/sound-factory $(call CONTINUE,sound-factory) $(ARGS)

bundle: $(VENV)/.stamp-test  ## export both factory models as device/bundles/factory.latido
	$(BIN)/latido-export $(RUNS)/rhythm-factory $(RUNS)/sound-factory --out device/bundles/factory.latido $(ARGS)

clean:  ## remove the virtual environment and what tools left behind (runs/ stays)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# A virtual environment with a working pip; one that was interrupted half-way is made anew.
$(VENV)/.stamp-venv:
	@test -n "$(PYTHON)" || { echo "Latido needs Python 3.11, 3.12 or 3.13, none was found: name one, as in make play PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13) and sys.maxsize > 2**32))' || { \
		echo "Latido needs a 64-bit Python 3.11, 3.12 or 3.13 and $(PYTHON) is not one: name another, as in make play PYTHON=/path/to/python3.12"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
			echo "$(PYTHON) cannot make virtual environments here: install them once with sudo apt install python3-venv, then try again"; exit 1; }; \
		echo "setting up $(VENV) with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear $(VENV); }
	@touch $@

$(VENV)/.stamp-play: $(VENV)/.stamp-venv $(NEEDS)
	@echo "installing what the instrument needs (once; less than 100 MB to fetch)"
	@$(PIP) --editable '.[desktop]'
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-venv $(NEEDS)
	@echo "installing what training and tests need (once; PyTorch is the large part)"
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.stamp-play

$(VENV)/.stamp-alsa: $(VENV)/.stamp-venv $(NEEDS)
	@$(PIP) pyalsaaudio || echo "the ALSA driver could not be built, so it is left out: it needs gcc and Python's headers (sudo apt install gcc python3-dev)"
	@touch $@
