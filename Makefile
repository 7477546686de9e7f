# Each command sets up what it needs: `make demo` is the first to try. `setpriv` ends a command when make is killed.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STACK := exec setpriv --pdeathsig TERM $(BIN)/python -m stack

# ADDONS=/path: a folder of your own addons, installed beside the project's (several: with commas).
export ADDONS

.PHONY: demo run test test-fast lint bench shell service restart update down screenshot translations lock chaos

demo run: .venv/complete
	@$(STACK) $@

# PYTEST="-k name" or PYTEST=tests/broker/test_call.py: these tests alone, without the addons' own.
# ADDONS=/path: the tests of these addons alone.
test: .venv/complete browser
	@$(STACK) exec -- $(if $(ADDONS),tests/run addons,$(if $(PYTEST),$(BIN)/pytest $(PYTEST),tests/run))

test-fast: .venv/complete browser
	@$(STACK) exec -- tests/run fast

shell restart update down: .venv/complete
	@$(STACK) $@

# SERVICE=/path/to/pricing.py: a Nameko service of your own, until Ctrl-C, beside what `make run` serves.
service: .venv/complete
	@$(STACK) service $(SERVICE)

lint: .venv/complete
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	# Large models are split by concern.
	$(BIN)/pylint --rcfile=.pylintrc-odoo --disable=consider-merging-classes-inherited odoo_addons/*/

bench: .venv/complete
	@$(STACK) exec -- $(BIN)/python -m tests.bench $(PARTS)

chaos: .venv/complete
	@$(STACK) exec -- $(BIN)/python -m tests.jobs.chaos $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED))

screenshot: .venv/complete browser
	@$(STACK) exec -- $(BIN)/python -m tests.browser.screenshots.form docs/form.png
	@$(STACK) exec -- $(BIN)/python -m tests.nocode.screenshots docs
	@$(STACK) exec -- $(BIN)/python -m tests.browser.screenshots.jobs docs
	@$(STACK) exec -- $(BIN)/python -m tests.browser.screenshots.catalogue docs

translations: .venv/complete
	@$(STACK) exec -- $(BIN)/python -m stack.translations

lock: .venv/complete
	PATH=$(CURDIR)/$(BIN):$$PATH requirements/lock.sh

.PHONY: browser
browser: .venv/complete
	@command -v chromium >/dev/null || $(BIN)/python -c 'from stack.install import debian; debian.install_for_the_machine("chromium")'

.venv/complete: requirements/dev.txt requirements/uv.txt stack/bootstrap
	@PYTHON=$(PYTHON) stack/bootstrap .venv
