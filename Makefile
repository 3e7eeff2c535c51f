# The two commands: `make demo` and `make test`. Everything else is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: setup demo test long anvil check bench faults scenarios fuzz lock simulate clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	rm -f $(VENV)/.installed-*
	touch $@

demo: setup
	$(BIN)/ballast demo

# Four lanes at once, for two cores: the end-to-end tests, whose demonstrations have deadlines; the tests of exchanges and
# those on other real servers, which mostly wait; and all that only reckons, which is nice to the others and has what they
# leave. Each lane's output is printed whole when all are done, then each one's last line once more. `python -m pytest` runs
# everything in turn.
LANES := e2e exchange servers reckoned
EXCHANGE := tests/integration/exchange
LANE = { nice -n $(2) $(BIN)/python -m pytest -p no:cacheprovider $(3) > build/test/$(1).txt 2>&1; \
  echo $$? > build/test/$(1).rc; echo "$(1): $$(tail -n 1 build/test/$(1).txt)"; }
test: setup anvil
	rm -rf build/test
	mkdir -p build/test
	@$(call LANE,e2e,0,tests/e2e) & \
	  $(call LANE,exchange,5,$(EXCHANGE)) & \
	  $(call LANE,servers,5,tests/integration --ignore $(EXCHANGE)) & \
	  $(call LANE,reckoned,10,tests --ignore tests/e2e --ignore tests/integration) & \
	  wait; cd build/test; failed=0; \
	  for lane in $(LANES); do echo "== $$lane"; cat $$lane.txt; [ "$$(cat $$lane.rc)" = 0 ] || failed=1; done; \
	  tail -qn 1 $(LANES:%=%.txt); exit $$failed

# What is longer than the suite may take, marked `slow`: a crash at nearly every step and named point of the
# simulated world, 300 of its plans, each role's imports alone, a scenario that is stopped before it began. Half an hour.
long: setup
	$(BIN)/python -m pytest -p no:cacheprovider --timeout 3600 -m slow

# A second Ethereum node for the contract tests, where npm is at hand. Without it they say why they were skipped.
ANVIL_VERSION := 1.7.1
ANVIL_ARCH := $(subst x86_64,amd64,$(subst aarch64,arm64,$(shell uname -m)))
ANVIL := build/anvil/node_modules/@foundry-rs/anvil-linux-$(ANVIL_ARCH)/bin/anvil
anvil:
	@test -x $(ANVIL) || { command -v npm >/dev/null \
	  && npm install --silent --no-save --prefix build/anvil @foundry-rs/anvil-linux-$(ANVIL_ARCH)@$(ANVIL_VERSION); } \
	  || echo "no anvil: npm is missing or could not install it; its tests are skipped"

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house

bench: setup
	$(BIN)/python -m benchmarks.event_store
	$(BIN)/python -m benchmarks.commands
	$(BIN)/python -m benchmarks.feeds
	$(BIN)/python -m benchmarks.rfq
	$(BIN)/python -m benchmarks.router
	$(BIN)/python -m benchmarks.controls

# A demonstration a fault: each must be seen, suspended and recovered from, and no quote rest on bad data. Half an hour.
FAULTS := gap duplicate reorder freeze crossed clock_skew disconnect rate_limited bad_gateway html truncate dislocate \
  maintenance silence gap@bybit gap@okx gap@deribit freeze@pyth dislocate@redstone bad_signature@pyth
FAULT_SECONDS := 90
faults: setup
	for fault in $(FAULTS); do \
	  $(BIN)/ballast demo --for $(FAULT_SECONDS) --port 8099 --data-dir .ballast-faults/$$fault --fault $$fault || exit 1; \
	done

# What befalls the venues in mid-flow, one demonstration for each: it ends with its delta inside its band. Where controls
# must act it ends halted or reduced, with collateral intact.
SCENARIOS := venue_outage adl partial_fills lost_ack breach depeg_10_10 bybit_outage runaway_algo
SCENARIO_SECONDS := 60
scenarios: setup
	for scenario in $(SCENARIOS); do \
	  $(BIN)/ballast demo --for $(SCENARIO_SECONDS) --port 8099 --data-dir .ballast-scenarios/$$scenario \
	    --scenario $$scenario || exit 1; \
	done

# Coverage-guided fuzzing of every parser, in an environment of its own.
ATHERIS := 3.0.0
FUZZ_SECONDS := 120
fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps atheris==$(ATHERIS)
	mkdir -p build/fuzz/feeds build/fuzz/oracles
	$(BIN)/python -m tests.fuzz.feeds build/fuzz/feeds -max_total_time=$(FUZZ_SECONDS) -max_len=4096
	$(BIN)/python -m tests.fuzz.oracles build/fuzz/oracles -max_total_time=$(FUZZ_SECONDS) -max_len=4096

# 50,000 seeds of the simulated world: what a night is for.
simulate: setup
	$(BIN)/ballast simulate --seeds 50000

# One lock for every platform and Python from 3.11 on, with hashes; no registry's address is written into it.
lock:
	test -x $(BIN)/uv || { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --extra test --extra check --extra lock --custom-compile-command "make lock" -o requirements.lock pyproject.toml build-requirements.in

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage
