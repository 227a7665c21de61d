# The one task runner. `make` alone lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The release profile everywhere: what is tested and measured is what is shipped.
CARGO_PROFILE := --release

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-rust test-python chaos test-loom test-sanitizers test-neon lint format generate lock clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*?## "}; {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Mnemic needs Python 3.11 or newer (set PYTHON=...)" if sys.version_info < (3, 11) else 0)'
	@command -v cargo >/dev/null || { echo "Mnemic needs a Rust toolchain to build from source: install cargo and rustc 1.92 or newer"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --group dev --group bench
	@touch $@

# One by one: a peer that does not install here is named, and the bench leaves it out.
$(VENV)/.peers: GROUP := bench-peers
$(VENV)/.quality-peers: GROUP := bench-quality-peers
$(VENV)/.peers $(VENV)/.quality-peers: $(VENV)/.installed constraints-peers.txt
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["$(GROUP)"])' \
	| tr ' ' '\n' | while read -r peer; do \
		PIP_CONSTRAINT='constraints.txt constraints-peers.txt' $(BIN)/pip install --quiet "$$peer" || echo "$$peer does not install here"; \
	done
	@touch $@

$(VENV)/.serve-peers: $(VENV)/.installed constraints-peers.txt
	PIP_CONSTRAINT='constraints.txt constraints-peers.txt' $(BIN)/pip install --quiet --group bench-serve-peers \
	|| echo "the peers of bench-serve do not install here; it leaves them out"
	@touch $@

build: $(VENV)/.installed ## Build the Rust core (release) and install the package into .venv, editable
	PIP_QUIET=1 PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/maturin develop $(CARGO_PROFILE) --locked --quiet

# For one test, of a client in another language; it is skipped where npm is not.
NODE := tests/end_to_end/node
$(NODE)/node_modules/.installed: $(NODE)/package-lock.json
	@if command -v npm >/dev/null; then cd $(NODE) && npm ci --silent && touch node_modules/.installed; \
	else echo "npm is not installed: the test of a client in another language will be skipped"; fi

setup: build $(NODE)/node_modules/.installed ## Everything that the other tasks need: .venv, the release build, the default model
	$(BIN)/mnemic models pull minilm --quiet
	$(BIN)/mnemic models pull static --quiet

demo: setup ## Start a server, feed it a real conversation, ask it questions, check the answers
	$(BIN)/python examples/demo.py

test: setup test-rust test-python ## Run all tests of both languages

test-rust: ## Run the Rust tests
	cargo test --workspace --locked --quiet

test-python: ## Run the Python tests (after `make setup`)
	$(BIN)/pytest -q

chaos: setup ## Kill a server under mixed load again and again, and check that it kept its word (KILLS=1000, about 40 minutes)
	$(BIN)/python tests/end_to_end/chaos.py --kills $(or $(KILLS),1000)

# Its own target directory: other flags would build everything anew each time.
test-loom: ## Try the interleavings of the publish protocol (loom)
	RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR=target/loom cargo test --package mnemic-retrieval --lib --locked --quiet interleavings

# The sanitizers are unstable flags of the compiler, and their run-time libraries come with rustup on some hosts only.
# The standard library is not compiled for them; thread-sanitizer.supp says what follows.
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
SANITIZED := RUSTC_BOOTSTRAP=1 cargo test --package mnemic-retrieval --target $(HOST) --locked --quiet
test-sanitizers: ## Run the kernels under AddressSanitizer and the threads under ThreadSanitizer, where there are such
	@ls "$$(rustc --print target-libdir)"/librustc-*_rt.[at]san.a >/dev/null 2>&1 || { echo "SKIPPED: this toolchain has no sanitizers for $(HOST)"; exit 0; }; \
	set -ex; \
	RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/address $(SANITIZED) --lib --test vector --test bits --test fuzz; \
	TSAN_OPTIONS=suppressions=$(CURDIR)/rust_core/retrieval/tests/thread-sanitizer.supp \
	RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer' CARGO_TARGET_DIR=target/thread $(SANITIZED) --lib --test snapshots

# Debian has both tools: apt-get install qemu-user gcc-aarch64-linux-gnu; rustup target add aarch64-unknown-linux-gnu.
test-neon: ## Run the kernels' tests for 64-bit Arm on another machine, where qemu and a cross linker are installed
	@command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null || { echo "SKIPPED: no qemu-aarch64, or no aarch64-linux-gnu-gcc"; exit 0; }; \
	set -ex; \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu' \
	cargo test --package mnemic-retrieval --target aarch64-unknown-linux-gnu --locked --quiet --test vector --test bits

lint: build ## Check formatting, lints, types, stubs, the contract and the import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest mnemic._core --mypy-config-file pyproject.toml
	$(BIN)/python scripts/check_contract.py
	$(BIN)/python scripts/generate_stubs.py --check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

format: $(VENV)/.installed ## Format all code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format --write
	cargo fmt --all

generate: $(VENV)/.installed ## Generate the Python stubs and the Rust messages from proto/
	$(BIN)/python scripts/generate_stubs.py
	MNEMIC_GENERATE=1 cargo test --package mnemic-front --test contract --locked --quiet

bench-service: setup ## Measure adds, searches in process and over gRPC, and memory per memory
	$(BIN)/python -m bench.service

bench-defence: setup ## Measure what the defence at write finds and costs (LOCOMO=file BEAM=directory)
	$(BIN)/python -m bench.defence $(if $(LOCOMO),--locomo $(LOCOMO)) $(if $(BEAM),--beam $(BEAM))

bench-ingest: setup ## Measure what writing costs, and whether stories with known outcomes come out right (PRECISIONMEMBENCH=fixtures)
	$(BIN)/python -m bench.ingest $(if $(PRECISIONMEMBENCH),--precisionmembench $(PRECISIONMEMBENCH))

bench-lifecycle: setup ## Measure erasure, retention, backup and encryption, and what they cost others (QUICK=1)
	$(BIN)/python -m bench.lifecycle $(if $(QUICK),--quick)

bench-quality: setup $(VENV)/.quality-peers ## Measure whether searches find the evidence (LOCOMO=locomo10.json, BEAM=chats/100K, LONGMEMEVAL=…, PRECISIONMEMBENCH=fixtures, QUICK=1)
	$(BIN)/python -m bench.quality $(if $(LOCOMO),--locomo $(LOCOMO)) $(if $(BEAM),--beam $(BEAM)) \
	$(if $(LONGMEMEVAL),--longmemeval $(LONGMEMEVAL)) $(if $(PRECISIONMEMBENCH),--precisionmembench $(PRECISIONMEMBENCH)) \
	$(if $(QUICK),--quick)

bench-contexts: setup ## Measure how much of the evidence is in contexts of a budget, and counts of tokens (LOCOMO=locomo10.json, BEAM=chats/100K, QUICK=1)
	$(BIN)/python -m bench.quality.contexts $(if $(LOCOMO),--locomo $(LOCOMO)) $(if $(BEAM),--beam $(BEAM)) $(if $(QUICK),--quick)
	$(BIN)/python -m bench.quality.token_counts $(if $(LOCOMO),--locomo $(LOCOMO)) $(if $(BEAM),--beam $(BEAM)) $(if $(QUICK),--quick)

bench-encryption: setup ## Measure what encryption at rest costs
	$(BIN)/python -m bench.encryption

bench-embedding: setup ## Measure the local embedding models
	$(BIN)/python -m bench.embedding

bench-retrieval: setup $(VENV)/.peers ## Measure the core beside its peers (LOCOMO=path/to/locomo.json, QUICK=1)
	$(BIN)/python -m bench.retrieval $(LOCOMO) $(if $(QUICK),--quick)

bench-serve: setup $(VENV)/.serve-peers ## Measure the servers side by side, with a native load generator (QUICK=1)
	cargo build --release --package mnemic-load --locked --quiet
	$(BIN)/python -m bench.serve $(if $(QUICK),--quick)

bench-core: ## Measure the kernels of the Rust core (criterion)
	cargo bench --workspace --locked

lock: $(VENV)/.installed ## Renew constraints.txt from what is installed now
	$(BIN)/pip freeze --exclude-editable --exclude mnemic \
	| awk -F== 'NR == FNR {peer[$$1]; next} !($$1 in peer)' constraints-peers.txt - > target/constraints.txt
	mv target/constraints.txt constraints.txt

clean: ## Remove everything that the tasks made
	rm -rf $(VENV) target bench/results dist .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
