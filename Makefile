# Needs make and Python 3.11 or newer; everything else comes from the package index pip is configured with.
#
#   PYTHON       the interpreter to build the virtual environment with (default: the newest suitable one found)
#   VENV         where the virtual environment is (default: .venv)
#   BENCH        the rows `make bench` measures (for example BENCH=pipeline,latency; default: all)
#   SMALL LARGE  how many messages the two stores of `make bench-growth` hold (default: 10000 and 200000)
#   DEMO_ARGS    what `make demo`, `up` and `down` hand on (for example DEMO_ARGS="--lang ru")
#   FAULTS       one in how many of the trials `make faults` makes (default: 1, all of them)
#   ROUNDS SEED  how many rounds `make kill` runs on each database (default: 100), and from which seed (default: drawn);
#                SEED also for `make explore`, and to draw 40 verified facts in `make reference-check`
#   SEEDS SEED   how many seeds `make simulate` lives through (default: 2000), and from which on (default: 1)
#   SUITE        a checkout of theupdateframework/tuf-conformance, for `make conformance`
#   CHANGES      through how many changes nodes sleep in `make membership` (default: 1000)
#   MINUTES      how long `make soak` lasts (default: 30)
#   FUZZ_SECONDS TARGETS  how long `make fuzz` runs each target (default: 600), and which (default: all)
#   DAYS         how many days `make calendar` lets pass (default: 400)
#   PYTEST_ARGS  what `make test` hands to pytest (for example PYTEST_ARGS="tests/unit -k merkle")

VENV ?= .venv
PYTHON ?=
PYTEST_ARGS ?=
BENCH ?=
SMALL ?= 10000
LARGE ?= 200000
FAULTS ?= 1
ROUNDS ?= 100
SEEDS ?= 2000
SEED ?=
SUITE ?=
CHANGES ?= 1000
FUZZ_SECONDS ?= 600
TARGETS ?=
DAYS ?= 400
MINUTES ?= 30
DEMO_ARGS ?=

# Some machines set this, and every process that the tests start would compile some 400 modules anew: half a second each.
unexport PYTHONDONTWRITEBYTECODE

# Tests keep their files in memory where there is room for them: what they prove hangs on no disk, their time does.
MEMORY := $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -ge 8388608 ] 2>/dev/null && echo /dev/shm)

BIN := $(abspath $(VENV))/bin
LOCK := requirements/lock.txt
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
CATALOGUES := $(wildcard */paiza_*/locale/*/LC_MESSAGES/*.po node/paiza_node/ops/locale/*/LC_MESSAGES/*.po client/paiza_client/web/locale/*/LC_MESSAGES/*.po)
PROTOS := $(wildcard proto/paiza/*/v1/*.proto)

# The shell commands that write the stubs of every .proto file below a folder. A text and not a target of its own: make
# runs a recipe line that calls make again in a dry run too, with all else that stands on that line.
WRITE_STUBS = mkdir -p "$(1)" && PATH="$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc --proto_path=proto \
	  --python_out="$(1)" --grpc_python_out="$(1)" --mypy_out=quiet:"$(1)" --mypy_grpc_out=quiet:"$(1)" $(PROTOS)

.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup test system browser screenshots explore fuzz bent simulate faults kill attachments conformance membership calendar soak reference-check lint proto stubs lock demo up down bench bench-profile bench-growth import-all trial-statistics clean

help:
	@echo "make setup | test | browser | screenshots | explore | fuzz | bent | simulate | faults | kill | attachments | conformance | membership | calendar | soak | reference-check | lint | proto | lock | demo | up | down | bench | clean   (see the head of the Makefile)"

setup: $(READY)

# The first interpreter that is new enough and can make virtual environments; PYTHON= overrides the search.
$(BIN)/python:
	@for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  new_enough=$$candidate; \
	  "$$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1 || continue; \
	  "$$candidate" -m venv $(VENV) && exit 0; \
	  rm -rf $(VENV); echo "make: $$candidate could not create $(VENV): check the free space and the permissions here" >&2; exit 1; \
	done; \
	if [ -n "$$new_enough" ]; then \
	  echo "make: $$new_enough has no venv module: install it (Debian, Ubuntu: apt install python3-venv), or name another interpreter: make PYTHON=/path/to/python3" >&2; \
	else \
	  echo "make: Python 3.11 or newer is needed and none was found: install it, or name it: make PYTHON=/path/to/python3" >&2; \
	fi; exit 1

# The interpreter is an order-only prerequisite: its own date says nothing about what is installed.
$(LOCKED): $(LOCK) | $(BIN)/python
	@echo "Installing the locked packages into $(VENV) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes -r $(LOCK) >$(VENV)/setup.log 2>&1 || { \
	  echo "make: the packages could not be installed ($$(grep -m1 '^ERROR' $(VENV)/setup.log)): check the index that 'pip config list' shows; the whole log is $(VENV)/setup.log" >&2; exit 1; }
	@touch $@

$(READY): $(LOCKED) pyproject.toml hatch_build.py $(CATALOGUES)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --no-index --no-build-isolation --no-deps --editable . >$(VENV)/setup.log 2>&1 || { \
	  echo "make: the project itself could not be installed: $$(grep -m1 -i 'error' $(VENV)/setup.log); the whole log is $(VENV)/setup.log" >&2; exit 1; }
	@touch $@

# Every way a controlled delivery can go, far deeper than `make test` looks: half an hour and more.
explore: setup
	PAIZA_EXPLORE=1 $(if $(SEED),PAIZA_EXPLORE_SEED=$(SEED)) $(BIN)/python -m pytest -n 2 tests/unit/paiza_domain/workflows/test_exploration.py

# All parsers and RPC handlers with changed inputs, by what these cover; hours. Inputs that show a defect are kept.
fuzz: setup
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(TARGETS)

# Every column of a row of each table bent in every way, one at a time: half an hour.
bent: setup
	PAIZA_BENT_ROWS=1 $(BIN)/python -m pytest -n 0 -rP tests/integration/bent

# All tests but those of whole programs, which `make system` runs, and of the console, which `make browser` runs.
test: setup
	$(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/python -m pytest -n 2 --dist loadfile $(or $(PYTEST_ARGS),--ignore=tests/system --ignore=tests/browser)

# Federations of real processes, with the programs as people call them; they are killed, cut off and attacked: minutes.
system: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/system

# The console's pages in Debian's Chromium, in both languages; skipped with one line where there is none.
browser: setup
	$(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/python -m pytest -n 0 tests/browser

# Pictures of the console's pages from invented data, light and dark, in both languages: into the folder screenshots/.
screenshots: setup
	$(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/python -m tests.browser.screenshots screenshots

# Every write, rename and fsync of the commit path fails once, in every way, and calls of whole nodes do: an hour.
faults: setup
	PAIZA_FAULTS_EVERY=$(FAULTS) PAIZA_FAULTS_NODES=100 $(BIN)/python -m pytest -n 2 tests/system/test_faults.py

# Lying nodes, crashes and machines that come back old, over a network that loses and repeats; and the register's
# publishers, members and custodians, some of them hostile: about half a second a seed each.
simulate: setup
	PAIZA_SIMULATE_SEEDS=$(SEEDS) $(if $(SEED),PAIZA_SIMULATE_SEED=$(SEED)) $(BIN)/python -m pytest -n 2 tests/simulation

# kill -9 under load, over and over, on both databases: ten minutes and more.
kill: setup
	PAIZA_KILL_ROUNDS=$(ROUNDS) $(if $(SEED),PAIZA_KILL_SEED=$(SEED)) $(BIN)/python -m pytest tests/system/test_kill.py

# One attachment of 1 GiB over lines that are cut ten times, with what each process takes of memory; minutes.
attachments: setup
	PAIZA_ATTACHMENT_MIB=1024 $(BIN)/python -m pytest -s tests/system/test_attachments.py -k large

# TUF's own conformance suite against our client: five minutes. It needs the program faketime (Debian: faketime).
conformance: setup
	@test -d "$(SUITE)/tuf_conformance" || { \
	  echo "make: name a checkout of github.com/theupdateframework/tuf-conformance: make conformance SUITE=folder" >&2; exit 1; }
	cd "$(SUITE)" && PYTHONPATH="$(abspath $(SUITE))" $(BIN)/python -m pytest -n 0 -p no:cacheprovider tuf_conformance \
	  --entrypoint "$(BIN)/python $(CURDIR)/tests/conformance/client.py"

# Three nodes live through a year and more under a clock that is moved: half an hour. It needs libfaketime.
calendar: setup
	$(BIN)/python -m tests.calendar --days $(DAYS)

# Ten members exchange messages at half the rate they sustain: nothing may grow, be lost or come twice.
soak: setup
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

# A member comes, goes and comes back; custodians and publishers change; nodes sleep through it: two minutes and more.
membership: setup
	PAIZA_MEMBERSHIP_CHANGES=$(CHANGES) $(BIN)/python -m pytest -n 0 -s tests/membership/story.py

# The reference data against themselves and against the CAS numbers of the package `chemicals`; seconds.
reference-check: setup
	@$(BIN)/python -m tests.reference_check $(if $(SEED),--seed $(SEED))

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(if $(PROTOS),$(BIN)/buf lint)
	@tag=$$(git describe --tags --abbrev=0 2>/dev/null) || { echo "No tag yet: the .proto files may still change in any way."; exit 0; }; \
	  $(BIN)/buf breaking --against ".git#tag=$$tag"
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call WRITE_STUBS,$$fresh) && \
	  { diff -r -q -x '*.proto' -x __init__.py -x py.typed -x __pycache__ "$$fresh/paiza" proto/paiza && echo "Stubs are fresh."; } || \
	  { echo "make: the stubs differ from the .proto files: run 'make proto' and commit the result" >&2; exit 1; }

# Writes the stubs of every .proto file below the folder OUT.
stubs: setup
	@test -n "$(OUT)" || { echo "make: say where to: make stubs OUT=folder" >&2; exit 1; }
	@$(call WRITE_STUBS,$(OUT))

# Generated apart first, so that a .proto with an error leaves the present stubs alone.
proto: setup
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call WRITE_STUBS,$$fresh) && \
	  rm -f proto/paiza/*/v1/*_pb2.py proto/paiza/*/v1/*_pb2.pyi proto/paiza/*/v1/*_pb2_grpc.py proto/paiza/*/v1/*_pb2_grpc.pyi && \
	  cp -R "$$fresh"/paiza/. proto/paiza/

# Pins everything anew, for every platform and Python; the file names no index.
lock: setup
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file $(LOCK)

# Figures beside what bounds them; tests/bench/README.md says how to read them.
bench: setup
	$(BIN)/python -m tests.bench --rows "$(BENCH)"

# Where the time of the pipeline goes; needs leave to look into other processes (root, or ptrace_scope 0).
bench-profile: setup
	$(BIN)/python -m tests.bench.profiling

# A million messages stored against ten thousand: takes long.
bench-growth: setup
	$(BIN)/python -m tests.bench.growth --small $(SMALL) --large $(LARGE)

# The 8,427 real seizure records between all seven states and the Centre, with figures; about five minutes.
import-all: setup
	PAIZA_IMPORT_ALL=1 $(BIN)/python -m pytest -s tests/system/test_import.py

# Statistics and an export over 33,704 real notices, to the gram, with figures; ten minutes, most of them the import.
trial-statistics: setup
	$(if $(MEMORY),TMPDIR=$(MEMORY)) PAIZA_TRIAL_STATISTICS=1 $(BIN)/python -m pytest -n 0 -s tests/system/test_statistics.py

# A working day of four members in a temporary folder; about a minute. DEMO_ARGS="--lang ru" plays it in Russian.
demo: setup
	@$(BIN)/python -m tests.demo demo $(DEMO_ARGS)

# The same federation, left running under run/ until `make down`.
up down: setup
	@$(BIN)/python -m tests.demo $@ $(DEMO_ARGS)

# Keeps the virtual environment, and run/ as long as `make up` has something running there.
clean:
	@if ls run/nodes/*/node.pid >/dev/null 2>&1; then echo "make: kept run/, where nodes may be running: make down first"; else rm -rf run; fi
	rm -rf build dist bench-results .bench-venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage $(READY)
	find proto node client certs tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find proto node client certs -name '*.mo' -delete
