# Everything this repository can do, from Python 3.11 or later and make alone. `make` lists it.
#
#   PYTHON=python3.13   which Python the environments are made with (python3)
#   KEEP=1              with demo: leave it running when the story is told
#   VENVS=/some/where   where the environments live (.venv)
#   SEEDS=500           with simulate: how many seeds; SEED=17 replays one and says what was told
#   ARGS="..."          with test, test-fast, prove and deploy: more arguments for pytest or `sam deploy`

PYTHON ?= python3
VENVS ?= .venv
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

# One environment for each set of tools that cannot share one. Its stamp is named after the Python and the lock file that it
# was made from: with another of either, it is made anew.
key = $(PYTHON_VERSION)-$(firstword $(shell cksum < requirements/$(1).txt))
DEV_TOOLS := $(VENVS)/dev/ready-$(call key,dev)
DEV := $(VENVS)/dev/project-$(call key,dev)
SAM := $(VENVS)/sam/ready-$(call key,sam)
MINISTACK := $(VENVS)/ministack/ready-$(call key,ministack)
LOCK := $(VENVS)/lock/ready-$(call key,lock)
BENCH := $(VENVS)/bench/ready-$(call key,bench)
SBOM := $(VENVS)/sbom/ready-$(call key,sbom)
AUDIT := $(VENVS)/audit/ready-$(call key,audit)
# The security linter of the template is large; only `make prove` asks it.
CHECKOV := $(VENVS)/checkov/ready-$(call key,checkov)

PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input --no-deps

export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast simulate prove lint docs bench build deploy validate sbom audit lock clean

help: ## List what make can do
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do printf '  make %-10s %s\n' "$$name" "$$what"; done

demo: $(DEV) $(SAM) $(MINISTACK) ## Tell the whole story on this machine: a district breaks, the alert, the fix (KEEP=1 leaves it running)
	@KEEP=$(KEEP) $(VENVS)/dev/bin/python -m tests.demo

test: lint $(SAM) $(MINISTACK) ## Lint, then run every test, the deployment into the local AWS included
	$(VENVS)/dev/bin/python -m pytest $(ARGS)

test-fast: $(DEV) ## Run the tests that need neither the AWS SAM command line nor the local AWS
	$(VENVS)/dev/bin/python -m pytest -m "not deploy" $(ARGS)

simulate: $(DEV) ## Put the alerts through SEEDS=500 simulated fleets in which everything goes wrong (SEED=17 replays one)
	@$(VENVS)/dev/bin/python -m tests.simulation.run --seeds $(or $(SEEDS),500) $(if $(SEED),--seed $(SEED))

prove: $(DEV) $(SAM) $(MINISTACK) $(SBOM) $(CHECKOV) ## Attack everything that is claimed, in full (about half an hour), and write docs/proof.md
	$(VENVS)/dev/bin/python -m pytest --prove docs/proof.md --numprocesses 2 --dist loadfile $(ARGS)

lint: $(DEV) ## Check style, format and types
	$(VENVS)/dev/bin/ruff check --quiet
	$(VENVS)/dev/bin/ruff format --check --quiet
	$(VENVS)/dev/bin/mypy

docs: $(DEV) ## Write docs/causes.md and docs/providers.md anew from the catalogue and the entries
	$(VENVS)/dev/bin/rosterwatch explain --all > docs/causes.md
	$(VENVS)/dev/bin/rosterwatch providers --all > docs/providers.md

bench: $(DEV) $(BENCH) $(SAM) $(MINISTACK) ## Measure what a visit costs, beside what would be used instead, and write docs/performance.md
	$(VENVS)/dev/bin/python -m benchmarks $(ARGS)

build: $(SAM) ## Build the artifact for Lambda into .aws-sam/build
	PYTHON="$(abspath $(VENVS))/sam/bin/python" $(VENVS)/sam/bin/sam build

deploy: build ## Deploy into your AWS account (ARGS="--guided" the first time)
	$(VENVS)/sam/bin/sam deploy $(ARGS)

validate: $(SAM) ## Lint the template
	$(VENVS)/sam/bin/sam validate --lint --region us-east-1

sbom: build $(SBOM) ## List what the artifact carries, with its licences, as CycloneDX: dist/rosterwatch.cdx.json
	@$(VENVS)/sbom/bin/python requirements/sbom.py .aws-sam/build/CheckDistricts dist/rosterwatch.cdx.json
	@echo "Written: dist/rosterwatch.cdx.json"

audit: $(AUDIT) ## Ask for known vulnerabilities of everything that is locked (needs a network to the advisory database)
	@mkdir -p .local; worst=0; for lock in functions/requirements.txt requirements/*.txt; do \
		if said=$$($(VENVS)/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
			--requirement $$lock 2> .local/audit.log); then echo "$$lock: no known vulnerability"; \
		elif [ -n "$$said" ]; then echo "$$lock:"; echo "$$said"; worst=1; \
		else echo "$$lock: NOT AUDITED, the advisory database cannot be asked: $$(tail -n 1 .local/audit.log)"; \
			[ $$worst -eq 1 ] || worst=3; fi; \
	done; exit $$worst

lock: $(LOCK) ## Write the lock files anew from the .in files (UPGRADE=1 takes newer versions)
	@for in in functions/requirements.in requirements/*.in; do \
		echo "Locking $$in"; \
		$(VENVS)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
			--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) "$$in" --output-file "$${in%.in}.txt" || exit 1; \
	done

clean: ## Remove everything that make made
	rm -rf $(VENVS) .aws-sam .local dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV_TOOLS) $(SAM) $(MINISTACK) $(LOCK) $(BENCH) $(SBOM) $(AUDIT) $(CHECKOV): environment = $(notdir $(patsubst %/,%,$(dir $@)))
$(DEV_TOOLS) $(SAM) $(MINISTACK) $(LOCK) $(BENCH) $(SBOM) $(AUDIT) $(CHECKOV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Rosterwatch needs Python 3.11 or later; '$(PYTHON)' is $(if $(PYTHON_VERSION),Python $(PYTHON_VERSION),not there). Name another one: make PYTHON=python3.13" >&2; \
		exit 1; }
	@echo "Setting up $(VENVS)/$(environment) (once, about a minute)"
	@rm -rf $(VENVS)/$(environment)
	@$(PYTHON) -m venv $(VENVS)/$(environment)
	@$(VENVS)/$(environment)/bin/python $(PIP_INSTALL) --require-hashes --only-binary :all: -r requirements/$(environment).txt
	@touch $@

# The project itself, from the working tree: for the rosterwatch command.
$(DEV): $(DEV_TOOLS) pyproject.toml
	@$(VENVS)/dev/bin/python $(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@
