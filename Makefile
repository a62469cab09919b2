# The one place where commands are written down. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROJECTS := chassis gateway captcha-service sms-service user-service news-service
PACKAGES := chassis/chassis gateway/gateway captcha-service/captcha_service sms-service/sms_service \
	user-service/user_service news-service/news_service deploy/local deploy/serving deploy/transfer
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --no-emit-options
STRENGTH := .venv-strength
# conftest.py says which tests stay together. The journeys start first; they mostly wait, so four processes fill two cores.
SIDE_BY_SIDE := -n 4 --no-loadscope-reorder
NOT_HERE := not outside and not compose and not browser and not node

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

run: $(VENV)/.runtime ## start everything on this machine: http://127.0.0.1:8000
	@exec $(BIN)/python -m local.run

token: $(VENV)/.runtime ## an access token of your own account at `make run` (MOBILE=13900139000, OPTIONS=--admin)
	@$(BIN)/python -m local.token $(OPTIONS)

import: $(VENV)/.runtime ## import dumps into the data of `make run` (FILES="a.sql b.sql" OPTIONS=--dry-run)
	@$(BIN)/python -m local.transfer import $(OPTIONS) $(FILES)

export: FILE = xinjing.sql
export: $(VENV)/.runtime ## write the classic tables of that data as SQL (FILE=xinjing.sql OPTIONS=--without-hashes)
	@$(BIN)/python -m local.transfer export --output $(FILE) $(OPTIONS)

remove-samples: $(VENV)/.runtime ## remove the sample articles from that data (OPTIONS=--all)
	@$(BIN)/python -m local.transfer remove-samples $(OPTIONS)

test: $(VENV)/.development ## lint, types, and every test that needs no outside server
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/pytest $(SIDE_BY_SIDE) --durations 10 -m "$(NOT_HERE)"

test-all: $(VENV)/.development ## test, and the rest: RabbitMQ, MariaDB, PostgreSQL, the compose stack, a browser (needs Docker, Chromium and Node.js)
	deploy/test-all
	$(MAKE) bench QUICK=1

bench: $(VENV)/.development ## speed, as ratios to yardsticks of the same run: 15 minutes (QUICK=1: two; PARTS=services)
	@PYTHONPATH=tests-e2e $(BIN)/python -m bench $(if $(QUICK),--quick) $(PARTS)

walk: $(VENV)/.development ## count the files that one request runs through (OPTIONS=--files names them)
	@$(BIN)/python tests-e2e/walk.py $(OPTIONS)

mutants: COUNT = 200
mutants: $(VENV)/.development ## which small changes does no test notice? an hour (COUNT=200 SEED=1 ONLY=gateway)
	@$(BIN)/python tools/mutants.py --count $(COUNT) --seed $(or $(SEED),1) --only "$(ONLY)"

upgrade-trial: $(VENV)/.development ## run an earlier revision, then this tree, on the same data (FROM=REVISION)
	@$(BIN)/python tools/upgrade_trial.py $(FROM)

captcha-strength: COUNT = 500
captcha-strength: $(STRENGTH)/.ready ## how well solvers read the captchas: 40 minutes (COUNT=500, OPTIONS="--only ours")
	@PYTHONPATH=tools/captcha-strength:chassis:captcha-service $(STRENGTH)/bin/python -m strength --count $(COUNT) $(OPTIONS)

pumping-replay: $(VENV)/.development ## replay SMS pumping against the limits: texts and people who sign up, two minutes (SEED=1)
	@$(BIN)/python sms-service/pumping_replay.py --seed $(or $(SEED),1)

check-deploy: $(VENV)/.development ## check the compose file and the YAML
	$(BIN)/yamllint -d "{extends: relaxed, rules: {line-length: {max: 140}}}" docker-compose.yml deploy
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

openapi: $(VENV)/.development ## write openapi.json of the services and routes.schema.json of the gateway anew
	$(BIN)/pytest -q -k "document" --write-openapi -m "$(NOT_HERE)"

common-passwords: $(VENV)/.development ## make the list of common passwords anew
	$(BIN)/python user-service/make_common_passwords.py

look-alikes: $(VENV)/.development ## make the table of characters that look like ASCII anew
	PYTHONPATH=user-service $(BIN)/python user-service/make_look_alikes.py

captcha-clips: $(VENV)/.development ## make the spoken characters of captchas anew (needs espeak-ng)
	PYTHONPATH=captcha-service $(BIN)/python captcha-service/make_clips.py

secrets: ## make the secrets of the compose stack, once
	@deploy/make-secrets

lock: $(VENV)/.development ## resolve the locked requirements anew
	CUSTOM_COMPILE_COMMAND="make lock" $(LOCK) -o deploy/requirements.txt deploy/local.in $(PROJECTS:%=%/pyproject.toml)
	CUSTOM_COMPILE_COMMAND="make lock" $(LOCK) -o deploy/requirements-telemetry.txt deploy/requirements-telemetry.in
	CUSTOM_COMPILE_COMMAND="make lock" $(LOCK) -o deploy/requirements-dev.txt deploy/requirements-dev.in
	CUSTOM_COMPILE_COMMAND="make lock" $(LOCK) -o tools/captcha-strength/requirements.txt tools/captcha-strength/requirements.in

clean: ## remove the virtual environments and the local data
	rm -rf $(VENV) $(STRENGTH) .run .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.runtime: deploy/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Xinjing needs Python 3.11 or later: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.txt
	@for project in $(PROJECTS) deploy; do echo "$(CURDIR)/$$project"; done > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/xinjing.pth"
	@touch $@

$(VENV)/.development: deploy/requirements-dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements-dev.txt
	@touch $@

$(STRENGTH)/.ready: deploy/requirements.txt tools/captcha-strength/requirements.txt
	$(PYTHON) -m venv $(STRENGTH)
	$(STRENGTH)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.txt \
		-r tools/captcha-strength/requirements.txt
	@touch $@

.PHONY: help run token import export remove-samples test test-all bench walk mutants upgrade-trial captcha-strength pumping-replay check-deploy openapi common-passwords look-alikes captcha-clips secrets lock clean
