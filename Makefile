.DEFAULT_GOAL := help
PYTHON := .venv/bin/python

.PHONY: help setup test lint types docs bench soak check clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: ## make .venv: editable, with what the tests need
	sh scripts/setup test

test: ## install what the tests need, and run them all; nothing is skipped
	sh scripts/test

lint: ## formatting and style
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types: ## mypy --strict
	.venv/bin/mypy

docs: ## write the pages of docs/ that are generated, and the book of all pages: build/docs/index.html
	$(PYTHON) -m scripts.generate_docs
	.venv/bin/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs

bench: ## how fast the commands start, rules are checked and tested, packets answered and exchanged, and usage collected
	$(PYTHON) benchmarks/startup.py
	$(PYTHON) -m benchmarks.validate
	$(PYTHON) -m benchmarks.engine
	$(PYTHON) -m benchmarks.rule_tests
	$(PYTHON) -m benchmarks.exchange
	$(PYTHON) -m benchmarks.usage --jobs 10000

soak: ## kill the engine for hours; 2,000 packets for many workers; 500 dry runs on each back end; all scenarios on each front; 6,000 hostile packets; 1,000 transactions over REST
	AMIERULES_KILLS=20000 $(PYTHON) -m pytest --numprocesses=auto tests/crash/test_random_times.py
	AMIERULES_PROOF=2000 $(PYTHON) -m pytest tests/workers
	AMIERULES_CERTIFY=all AMIERULES_FUZZ=1000 $(PYTHON) -m pytest --numprocesses=auto tests/tgcdb/test_certify.py tests/tgcdb/test_fuzz.py
	AMIERULES_EXCHANGE=1000 $(PYTHON) -m pytest -s tests/exchange/test_through_rest.py
	AMIERULES_BELIEVE=500 $(PYTHON) -m pytest --numprocesses=auto --dist=loadfile tests/believe
	AMIERULES_HOSTILE=3 $(PYTHON) -m pytest tests/hostile/test_hostile_packets.py

check: ## all that CI does
	bash .ci/run

clean: ## remove caches and what was built
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
