# Every target sets up what it needs, says what it does, and fails when a promise is broken. `make` alone explains.

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test chaos infra-test bench lint format docs bundle publish lock clean

VENV := .venv/bin
# Without compiled modules every start of every process costs seconds.
unexport PYTHONDONTWRITEBYTECODE
# The first Python that is new enough and really runs: version managers leave shims of Pythons that are not installed.
PYTHON ?= $(shell for python in $(VENV)/python python3.13 python3.12 python3.11 python3 python; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 \
	&& echo "$$python" && break; done)

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing: .venv with the locked packages, a MariaDB server
	@$(require-python)
	@$(PYTHON) infra/local/setup.py

demo: .setup ## The main job, end to end, as a story: orders, crashes, a lost webhook, a reconciliation report
	@$(VENV)/python -m infra.local.demo

dev: .setup ## The whole stack, up until Ctrl-C, with a live table (WORLD=demo: the world that `make demo` left)
	@$(VENV)/python -m infra.local.dev $(if $(WORLD),--directory .local/$(WORLD))

# Half of the suite's time is waiting for servers, so processes share it, as tests/conftest.py says.
JOBS ?= 3

test: .setup ## The whole test suite, on real servers (JOBS=1: in one process)
	@$(VENV)/python -m pytest tests --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

chaos: .setup ## Random days on a stack of its own, with faults and tampering, for MINUTES=5 (SEED=n: those of a seed)
	@$(VENV)/python -m tests.chaos.books --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) --shrink

infra-test: .setup ## infra/aws against a fake AWS: Terraform's tests, policies, a real apply, the deployed programs
	@$(VENV)/python -m tests.infra.locked_environments
	@$(VENV)/python -m pytest tests/infra -m "infra or not infra" -rs  # what is skipped says why

bench: .setup ## Measure: BENCH=ingress|... prints a table, then one line of JSON (ARGS=--quick); without BENCH, a list
	@$(VENV)/python -m tests.bench $(BENCH) $(ARGS)

lint: .setup ## Formatting, lint, types, import rules, spelling
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/codespell

format: .setup ## Reformat, and fix what the linter can fix by itself
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

bundle: .setup ## The functions as zips for AWS Lambda, into dist/ (RUNTIME=3.13: for that Python, which must be here)
	@$(VENV)/python -m infra.bundle $(if $(RUNTIME),--python $(RUNTIME))

publish: .release .setup ## A release for AWS: the zip and the image, to where Terraform finds them (RELEASE=name)
	@$(VENV)/python -m infra.deploy publish --release "$(RELEASE)" $(PUBLISH)

docs: .setup ## Write the reference (infra/docs/reference) anew from the code (CHECK=1: only say what is stale)
	@$(VENV)/python -m infra.docs $(if $(CHECK),--check)

lock: .setup ## Write the lock files anew from pyproject.toml (UPGRADE=1: with the newest allowed versions)
	@$(VENV)/python -m infra.local.lock $(if $(UPGRADE),--upgrade)

clean: ## Remove data, logs and caches (not .venv); refuses while a stack runs
	@$(require-python)
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m infra.local.clean

.PHONY: .release
.release:
	@test -n "$(RELEASE)" || { echo "name the release: make publish RELEASE=2026.7.1" >&2; exit 2; }

.PHONY: .setup
.setup:
	@$(require-python)
	@$(PYTHON) infra/local/setup.py --quiet

define require-python
test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 found; name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 3; }
endef
