# Targets are documented by the text after `##`; `make` shows them.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-controller bench guard test test-other-versions soak lint fmt docs clean

# End-to-end tests at once: each has servers of its own to start, which two cores have enough of.
TEST_THREADS ?= 2

# What `make bench` measures.
SUITE ?= write

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing to build and test: PostgreSQL, Java, Apache Kafka, libraries
	@tests/setup.sh

demo: setup ## Publish 100,000 events, kill a consumer on the way, prove that all arrived; KEEP=1 leaves it running
	cargo build --release --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/release/audit-demo"

demo-controller: setup ## Let resources of a real kube-apiserver finish, delete one while Kafka is away, show their rows
	cargo build --release --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/release/audit-demo-controller"

bench: setup ## Measure the consumer against raw COPY and other ways; SUITE=help lists more, ARGS=--quick is a try
	cargo build --release --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/release/audit-bench" $(SUITE) $(ARGS)

guard: setup ## Compare each stage's instructions and allocations per event with tests/guard.toml; ARGS=--record writes it
	cargo build --release --package audit-tests --bin audit-guard
	@"$${CARGO_TARGET_DIR:-target}/release/audit-guard" $(ARGS)

test: setup ## Build all binaries and run all tests, on a real Kafka and a real PostgreSQL
	cargo build --workspace --bins
	cargo test --workspace --exclude audit-tests
	cargo test --package audit-tests --lib --bins --tests -- --test-threads=$(TEST_THREADS) $$(tests/left-out.sh)

test-other-versions: setup ## Run the end-to-end tests on Apache Kafka 3.9 and PostgreSQL 18 without lz4
	cargo build --workspace --bins
	tests/other-versions.sh --test-threads=$(TEST_THREADS) $$(tests/left-out.sh)

soak: setup ## Publish a million events under 200 random faults, and verify; HOURS=8 goes on, SEED=.. repeats, EVENTS, FAULTS
	cargo build --release --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/release/audit-soak"

lint: ## Check formatting, lints and, where cargo-deny is installed, dependencies
	@tests/lint.sh

fmt: ## Format the code
	cargo fmt --all

docs: ## Bring docs/configuration.md up to date with the options of both binaries
	cargo build --workspace --bins
	UPDATE_DOCS=1 cargo test --package audit-tests --test e2e -- docs::configuration

clean: ## Remove what was built; keeps the Apache Kafka that setup has fetched
	cargo clean
