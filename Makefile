# Everything from a fresh checkout; no service, no environment variable.

LINT   := v2.15.0
linter := bin/golangci-lint-$(LINT)

# The servers of the tests write many small files, which is faster in memory.
in_memory := $(shell test -w /dev/shm && df -Pk /dev/shm | awk 'NR == 2 && $$4 > 4000000 { print "TMPDIR=/dev/shm" }')
go_test := $(in_memory) go test -timeout 15m
# Tests wait for servers more than for a processor. The slowest packages begin first.
slow := ./pkg/dispatch/jetstream ./integration ./cmd/zsubmit ./pkg/dispatch/memory

.PHONY: all test race check fmt vet lint bench
all: check test

test: ## all tests, over servers that they start themselves
	$(go_test) -p 3 -parallel 4 $(slow) ./...

race: ## the same, watching for data races; needs a C compiler
	$(go_test) -p 3 -parallel 4 -race $(slow) ./...

check: fmt vet lint

fmt:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w" $$unformatted; exit 1; }

vet:
	go vet ./...

lint: $(linter)
	$(linter) run ./...

# The version is in the name, so that another one is installed when it changes.
$(linter):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)
	mv bin/golangci-lint $@

bench: ## ratios against plain NATS on this machine
	go run ./bench
