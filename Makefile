# The front door. Logic lives in stack/; each target is one line here.
.DEFAULT_GOAL := list
.PHONY: list up demo down status logs clean doctor observe test test-fast faults fuzz bench lint boundaries schemas

list: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

up: ## fetch, start and build everything, migrate, apply, run it (again: mends what is down)
	@stack/run up

demo: ## one sale through the whole platform, on the stack that is up
	@stack/run demo

down: ## stop everything
	@stack/run down

status: ## what runs, where, and its memory
	@stack/run status || true

logs: ## follow the logs (S=kafka: one of them)
	@stack/run logs $(S)

clean: ## forget data and passwords of the stack (asks; YES=1 does not)
	@stack/run clean $(if $(YES),--yes)

doctor: ## what is missing, wrong or taken here, and what to type
	@stack/doctor

observe: ## install Prometheus and Alertmanager, test the alert rules, watch the stack that is up
	@stack/run observe

test: ## every test, on a stack of its own
	@tests/run

test-fast: ## the tests that need no server
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace --locked --lib --bins; else cargo test --workspace --locked --lib --bins; fi
	@python3 -B -m unittest discover -q -t . -s stack/tests

faults: ## every fault of a bad day under a million changes and more, half an hour after its build (tests/faults/run: the short pass)
	@FAULTS=long tests/faults/run

fuzz: ## ten minutes of bytes at the decoder of change events, from the corpus that is kept
	@schemas/fuzz/run

bench: ## the measured claims
	@bench/run

lint: ## format and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

boundaries: ## who may depend on whom
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --workspace check bans licenses sources; else echo "cargo-deny is absent: bans, licenses and sources not checked"; fi
	cargo test --locked -p backbone --test it boundaries::

schemas: ## what is in schemas/ against the registry
	@stack/run sluice schemas check
