# Budayang. On a fresh Debian or Ubuntu with Go and make, two commands do all the set-up:
#
#   make demo     the terminal with an embedded platform and simulated peripherals: a window where there is a display,
#                 else the whole certificate journey under Xvfb, with pictures in out/demo
#   make test     everything that CI runs

SHELL := /bin/bash
GO ?= go
TAGS := x11,migrated_fynedo
# The tests of the screens use Fyne's own painter: no display, no OpenGL, the same pixels everywhere.
TEST_TAGS := ci
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
SET_UP := deploy/setup/install.sh

.PHONY: demo build release packages package-proof test vet lint unit journeys lab soak cluster torture model vuln fuzz bench screens pictures fonts clean

demo: build
	@$(SET_UP) run
	@if [ -n "$$DISPLAY" ]; then bin/kiosk demo; else bin/kiosk demo --headless --out out/demo; fi

build:
	@$(SET_UP) build
	$(GO) build -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/kiosk ./cmd/kiosk
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o bin/platform ./cmd/platform

# What is installed at a site: no demo, no simulators.
release:
	@$(SET_UP) build
	$(GO) build -tags $(TAGS),release -trimpath -ldflags '-s -w $(LDFLAGS)' -o bin/release/kiosk ./cmd/kiosk
	CGO_ENABLED=0 $(GO) build -tags release -trimpath -ldflags '-s -w $(LDFLAGS)' -o bin/release/platform ./cmd/platform

# Debian packages of the terminal and the central platform, in out/packages.
ARCH ?= $(shell $(GO) env GOARCH)
packages:
	@deploy/debian/build.sh --arch $(ARCH)

# They install on a clean Debian 12, start there under systemd in a machine of its own, and keep the journal through all of it. Root.
package-proof:
	@$(SET_UP) run package
	test/package/prove.sh

test: build
	@$(SET_UP) run test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory journeys
	@$(MAKE) --no-print-directory lab SHORT=1
	@$(MAKE) --no-print-directory vuln

lint: vet
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt-ed: $$out"; exit 1; fi
	$(GO) run $(STATICCHECK) -tags $(TEST_TAGS) ./...

vet:
	$(GO) vet -tags $(TEST_TAGS) ./...

unit:
	BUDAYANG_REQUIRE_PEERS=1 $(GO) test -race -tags $(TEST_TAGS) -timeout 20m $$($(GO) list -tags $(TEST_TAGS) ./... | grep -v -e /test/journeys -e /test/torture$$ -e /test/cluster$$)
	BUDAYANG_REQUIRE_PEERS=1 $(GO) test -count=1 -tags $(TEST_TAGS) -timeout 10m ./test/torture
	$(GO) test -tags $(TEST_TAGS) -timeout 10m ./ui
	$(GO) test -tags $(TEST_TAGS) -timeout 10m -run 'Histories|MoneyAndCards|IsNoticed|NeverTwo|NoToken' ./platform ./platform/pay
	$(GO) test -tags $(TEST_TAGS) -timeout 10m -run WhatIsWrongIsNamed ./platform/conform

# The real program under Xvfb, touched by real X events. ALL=1 plays the journeys too that CI leaves out.
journeys: build
	@$(SET_UP) run test
	BUDAYANG_REQUIRE_PEERS=1 BUDAYANG_ALL_JOURNEYS=$(ALL) $(GO) test -count=1 -timeout 30m -parallel 2 ./test/journeys

# The drivers against Debian's real kernel in a virtual machine, with USB devices and cameras that are written in Go. SHORT=1 is
# a part of make test and some five minutes, the long form some forty. Without an emulator (and no way to install one) it says so and ends
# well, unless BUDAYANG_REQUIRE_PEERS is set.
SHORT ?=
LAB_PACKAGES := ./cmd/kiosk ./devices/camera ./devices/bus/usb ./devices/scanner ./test/lab
lab: build
	@GO='$(GO)' LAB_TAGS=$(TEST_TAGS) test/lab/run $(if $(SHORT),-short) $(LAB_PACKAGES)

# One terminal for T under 300 visits a day, a hundred times as fast, while its devices and its line fail at random; its last line is
# "violations: N". SEED gives load and faults of a run again. make test has a short form.
soak: SOAK = $(if $(filter file,$(origin T)),2m,$(T))
soak: build
	bin/kiosk soak -t $(SOAK) $(if $(SEED),--seed $(SEED))

# Two hundred terminals, everything that happens in the field, for T (a minute and a half at least, or not everything has happened
# and that is a violation too); its last line is "violations: N". SEED repeats a run.
# STORE=postgres runs it over a PostgreSQL of its own instead of SQLite; a URL names another, with its password in the file that
# PGPASSFILE names.
T ?= 3m
SEED ?=
STORE ?=
torture:
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -o bin/platform ./cmd/platform
	CGO_ENABLED=0 $(GO) build -o bin/torture ./test/torture
	bin/torture -t $(T) -all $(if $(SEED),-seed $(SEED)) $(if $(STORE),-store '$(STORE)' -servers 2)

# The platform on three PostgreSQL nodes with Patroni, etcd and HAProxy, each host in a network namespace, for T: the primary is
# killed, frozen and parted away again and again, on a slow and lossy line. Needs root, and installs Debian's packages.
cluster:
	@$(SET_UP) cluster
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -o bin/platform ./cmd/platform
	CGO_ENABLED=0 $(GO) build -o bin/torture ./test/torture
	BUDAYANG_REQUIRE_PEERS=1 $(GO) test -count=1 -timeout 10m ./test/cluster
	bin/torture -t $(T) -store cluster -terminals 40 -workers 4 -every 3s $(if $(SEED),-seed $(SEED))

# The sync protocol's model, checked by Spin: what must hold holds, and every rule that is broken on purpose is noticed. FULL=1 adds
# what takes minutes and up to 2 GB each, two at a time.
FULL ?=
model:
	@$(SET_UP) test
	BUDAYANG_REQUIRE_PEERS=1 BUDAYANG_MODEL_FULL=$(FULL) $(GO) test -count=1 -timeout 40m -v ./test/model

# Known vulnerabilities that the tree calls. LATEST=1 asks for what became known today.
LATEST ?=
vuln:
	test/vuln.sh $(if $(LATEST),--latest)

# Every fuzz target for FUZZTIME each.
FUZZTIME ?= 60s
fuzz:
	test/fuzz.sh $(FUZZTIME)

bench: build
	@$(SET_UP) run test bench
	$(GO) test -tags $(TEST_TAGS) -run '^$$' -bench . -benchtime 1s ./idnum ./slip ./devices/... ./sync/... ./service/... ./platform/... ./test/link
	@if (cd test/bench/nats && $(GO) mod download) 2>/dev/null; then cd test/bench/nats && $(GO) test -run '^$$' -bench . -benchtime 4000x .; \
	else echo "NATS cannot be fetched from here; its benchmark is skipped"; fi
	test/bench/screen.sh
	test/bench/photo.sh
	$(GO) run ./test/bench/preview

# Golden pictures of the screens, made anew.
screens:
	BUDAYANG_UPDATE=1 CGO_ENABLED=0 $(GO) test -tags $(TEST_TAGS) -run Golden ./ui/...

# The pictures of the README, from a journey.
pictures: build
	@$(SET_UP) run
	test/pictures.sh out/pictures

fonts:
	/usr/bin/python3 assets/fonts/make.py

clean:
	rm -rf bin out
