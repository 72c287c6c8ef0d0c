# Antiphon. `make demo` shows it, `make test` proves it; both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := sip-tester baresip-core baresip-ffmpeg tshark ffmpeg flite kamailio kamailio-tls-modules linphone-cli iproute2
CODE   := sipserver media inference control_api

# For make load.
CALLS   ?= 24
AT_ONCE ?= 6
RATE    ?= 1

# For make soak.
MINUTES ?= 60

.PHONY: help setup native demo test check format bench load soak fuzz peers wheel clean

help:
	@echo "make setup   the virtual environment in $(VENV) (again at any time)"
	@echo "make native  the socket backend in C again, where there is a compiler (make setup does it too)"
	@echo "make demo    a call on this machine: a caller rings, an agent answers"
	@echo "make test    every test, with the real SIP peers where this is root"
	@echo "make check   ruff, mypy --strict, import-linter"
	@echo "make bench   the media plane's figures"
	@echo "make load    callers who talk, from INVITE to webhook, with gates (CALLS=24 AT_ONCE=6 RATE=1)"
	@echo "make soak    an hour of calls, and whether memory stays flat (MINUTES=60)"
	@echo "make fuzz    three minutes of spoilt SIP messages against the user agent"
	@echo "make wheel   the package, in dist/"
	@echo "make clean   removes what these made, the environment too"

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Antiphon needs Python 3.11 or newer ($(PYTHON) is older; make PYTHON=python3.12 …)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "No virtual environment: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,demo]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps silero-vad
	$(BIN)/python -m media.sockets.build
	@touch $@

native: setup
	$(BIN)/python -m media.sockets.build

demo: setup
	$(BIN)/antiphon demo

# Real peers come from Debian; without root the tests that need them are skipped, and counted.
peers:
	@sh docker/peers.sh $(PEERS)

test: setup peers
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/antiphon bench media

load: setup peers
	$(BIN)/python -m tests.load --calls $(CALLS) --at-once $(AT_ONCE) --rate $(RATE)

soak: setup peers
	$(BIN)/python -m tests.peers.soak_long --minutes $(MINUTES)

fuzz: setup
	$(BIN)/python -m tests.sipserver.fuzz --minutes 3

wheel: setup
	$(BIN)/hatchling build --target wheel --directory dist

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
