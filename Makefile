# Every target installs what it needs (make setup) and says what it does. Run as root on Debian with Go.
BIN     ?= bin
VERSION ?= 0.1.0
KERNELS ?= 6.1,6.12,7.x
TIERS   ?= local,hvsock,vhost
GO      ?= go

# The agent is small before it is fast: docs/performance.md has the figures behind each flag.
AGENT_FLAGS = -tags grpcnotrace,nethttpomithttp2,purego -gcflags=all=-l $(AGENT_INLINED:%=-gcflags=%=) -ldflags="-s -w -funcalign=4 -X main.version=$(VERSION)"
# Packages whose functions are smaller inlined than called.
AGENT_INLINED = encoding/base64 errors hash/crc32 internal/fmtsort internal/reflectlite internal/strconv internal/testlog io/fs math/bits net/netip os os/signal sort strconv sync/atomic unicode unicode/utf8 \
	golang.org/x/net/netutil google.golang.org/grpc/metadata google.golang.org/protobuf/internal/strs github.com/mdlayher/vsock kata-sysctl/agent kata-sysctl/agent/internal/endpoint kata-sysctl/agent/internal/nsthread
AGENT_GOEXPERIMENT = nogreenteagc
HOST_FLAGS  = -ldflags="-s -w -X kata-sysctl/hostclient/internal/cli.version=$(VERSION)"

# Out of reach of ./..., which passes over names that begin with an underscore.
GENERATED = $(abspath $(BIN))/_generated

# On these tiers tests fail where they would be skipped.
export KATA_SYSCTL_REQUIRE ?= local,hvsock,vhost

# The VM tests, on $(TIERS) and $(KERNELS), with one table of all at the end.
MATRIX = $(GO) run ./integration/matrix -kernels $(KERNELS) -tiers $(TIERS) -out $(BIN)/matrix

# Steps that need two cores each, and what the ones before have installed.
.NOTPARALLEL:

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the binaries into bin/
	GOEXPERIMENT=$(AGENT_GOEXPERIMENT) CGO_ENABLED=0 $(GO) build -trimpath $(AGENT_FLAGS) -o $(BIN)/kata-sysctl-agent ./agent
	CGO_ENABLED=0 $(GO) build -trimpath $(HOST_FLAGS) -o $(BIN)/hostclient ./hostclient
	CGO_ENABLED=0 $(GO) build -trimpath $(HOST_FLAGS) -o $(BIN)/guestimage ./guestimage

# What the packages hold depends on the sources alone: twice built, twice the same.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

.PHONY: packages
packages: build ## build .deb and .rpm packages of both sides into bin/packages/
	rm -rf $(BIN)/manual $(BIN)/packages
	mkdir -p $(BIN)/packages
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(GO) run ./hostclient/packaging/manual $(BIN)/manual $(VERSION)
	@set -e; export BIN=$(BIN) VERSION=$(VERSION) GOARCH=$$($(GO) env GOARCH) SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH); \
	for side in hostclient agent; do for kind in deb rpm; do \
		$(GO) tool -modfile=tools.mod nfpm package -f $$side/packaging/nfpm.yaml -p $$kind -t $(BIN)/packages/; \
	done; done

.PHONY: setup
setup: ## install what demo and tests need, and fetch kernel, VMM and runtime into the cache
	$(GO) run ./integration/setup -kernels $(KERNELS) -tiers $(TIERS) $(SETUP_FLAGS)

.PHONY: demo
demo: KERNELS = 6.12
demo: TIERS = hvsock
demo: setup build ## boot a VM with two containers and set sysctls in it
	$(GO) run ./integration/demo -bin $(BIN) -kernel $(KERNELS)

.PHONY: test
test: SETUP_FLAGS = -images
test: setup check test-unit ## run every test, on every tier and kernel
	$(MATRIX)

.PHONY: test-unit
test-unit: ## run the tests that need no guest (root: they make namespaces of their own)
	$(GO) test -count=1 ./agent/... ./hostclient/... ./guestimage/... ./integration/setup/... ./integration/bench/... ./integration/tier/... ./integration/matrix/... ./integration/mutants/...
	$(GO) test -run '^$$' -fuzz '^FuzzValue$$' -fuzztime 80000x ./agent/internal/sysctl
	$(GO) test -run '^$$' -fuzz '^FuzzKernel$$' -fuzztime 60000x ./agent/internal/kernelmap

.PHONY: test-local
test-local: TIERS = local
test-local: setup ## run the tests of a guest, in namespaces on this machine's kernel
	$(MATRIX)

.PHONY: test-hvsock
test-hvsock: TIERS = hvsock
test-hvsock: SETUP_FLAGS = -images
test-hvsock: setup ## run them in VMs behind a hybrid vsock socket
	$(MATRIX)

.PHONY: test-images
test-images: KERNELS = 6.12
test-images: TIERS = hvsock
test-images: SETUP_FLAGS = -images
test-images: setup ## bake an image of each shape and boot it
	$(GO) test -count=1 -v -timeout 20m ./integration/images

.PHONY: test-vhost
test-vhost: TIERS = vhost
test-vhost: setup ## run them in VMs with KVM and vhost-vsock, in a VM that plays the node
	$(MATRIX)

.PHONY: bench
bench: KERNELS = 6.12
bench: TIERS = local
bench: setup build ## measure the agent against its budgets
	$(GO) run ./integration/bench -agent $(BIN)/kata-sysctl-agent

.PHONY: mutants
mutants: KERNELS = 6.12
mutants: TIERS = hvsock
mutants: setup ## put deliberate faults into a copy of the tree: the tests have to see each
	$(GO) run ./integration/mutants

.PHONY: check
check: ## check formatting, vet, modules, generated code and the API's style
	@bad=$$(gofmt -l agent guestimage hostclient integration proto) || exit 1; \
		test -z "$$bad" || { echo "run gofmt -w on: $$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) mod verify
	cd proto && $(GO) tool -modfile=../tools.mod buf lint
	rm -rf $(GENERATED)
	cd proto && $(GO) tool -modfile=../tools.mod buf generate -o $(GENERATED)
	@diff -r -x '*.proto' -x 'buf*.yaml' proto $(GENERATED) || { echo "the generated code is not that of proto/: run make generate"; exit 1; }

.PHONY: generate
generate: ## generate the Go code of the API from proto/
	cd proto && $(GO) tool -modfile=../tools.mod buf generate

.PHONY: clean
clean: ## remove what was built; the cache of downloads stays
	rm -rf $(BIN)
