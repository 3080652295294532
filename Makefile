# Everything that one does here has a target: "make help" lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The local stack: its port, and the folder of its data.
PORT ?= 3000
STATE ?= .local
export PORT STATE

# Processor of the functions on AWS, as the template's parameter spells it: arm64 or x86_64.
ARCH ?= arm64
LAMBDA_GOARCH := $(if $(filter x86_64,$(ARCH)),amd64,$(ARCH))
LAMBDA_BUILD := CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_GOARCH) go build -trimpath -tags lambda.norpc -ldflags '-s -w'
GROUPS_ = $(notdir $(patsubst %/,%,$(wildcard functions/*/)))

# What is given on the command line replaces the overrides of samconfig.toml: give nothing that need not be given.
OVERRIDES := $(if $(filter arm64,$(ARCH)),,--parameter-overrides Architecture=$(ARCH))

# Go modules of this repository. Those under infra need things that the product's must not.
MODULES = . $(patsubst %/go.mod,%,$(wildcard infra/*/go.mod infra/*/*/go.mod))

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang || command -v cc),-race)

TOOLS := .tools
VENV := $(TOOLS)/venv
SAM := SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam

# Linters, pinned here and run without being installed.
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.1
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { sub(/\$$\(PORT\)/, "$(PORT)", $$2); sub(/\$$\(STATE\)/, "$(STATE)", $$2); printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PORT=$(PORT) STATE=$(STATE) ARCH=$(ARCH) can be set on the command line."

.PHONY: run
run: ## start the local stack on http://127.0.0.1:$(PORT); data stays in $(STATE)
	@command -v go >/dev/null || { echo "go is not installed, or not on the PATH" >&2; exit 1; }
	@infra/build/compile $(TOOLS)/opsplane-local infra/local ./cmd/opsplane-local
	@exec $(TOOLS)/opsplane-local

.PHONY: events
events: ## show the events of the local stack, and wait for more (make run EVENTS_URL=http://127.0.0.1:8000/ also sends them there)
	@exec tail -n 100 -F "$(STATE)/events.jsonl"

.PHONY: test
test: ## run all tests, against real local servers (DYNAMODB=dynamodb-local: those of storage, on AWS's server, with the race detector)
	@RACE=$(RACE) DYNAMODB=$(DYNAMODB) infra/test/runtests $(MODULES)

# The seeds of the targets are tests like others; this looks for what nobody thought of.
FUZZTIME ?= 1m
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (1m) each; what fails is kept in testdata/fuzz
	@grep -roE '^func Fuzz[A-Z][A-Za-z0-9]*' --include='*_test.go' functions shared infra | sort | while IFS=: read -r file func; do \
		echo "fuzzing $${func#func } of $$(dirname "$$file")"; \
		(cd "$$(dirname "$$file")" && go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s .) || exit 1; \
	done

.PHONY: build
build: $(addprefix bin-,$(GROUPS_)) ## build every function for Lambda into bin/, and everything else for this machine
	@for module in $(MODULES); do (cd $$module && go build ./...) || exit 1; done

bin-%:
	$(LAMBDA_BUILD) -o bin/$*/bootstrap ./functions/$*

# What "sam build" calls for each function, with its logical id: KvFunction is functions/kv.
build-%:
	$(LAMBDA_BUILD) -o $(ARTIFACTS_DIR)/bootstrap ./functions/$(shell echo $(patsubst %Function,%,$*) | tr '[:upper:]' '[:lower:]')

.PHONY: lint
lint: $(VENV)/ready $(TOOLS)/shellcheck/ready ## gofumpt, go vet, staticcheck, govulncheck, shellcheck, cfn-lint, sam validate
	@echo "gofumpt"
	@unformatted=$$(go run $(GOFUMPT) -l functions shared infra); \
		[ -z "$$unformatted" ] || { echo "not formatted with gofumpt:"; echo "$$unformatted"; exit 1; }
	@for module in $(MODULES); do echo "go vet $$module"; (cd $$module && go vet ./...) || exit 1; done
	@for module in $(MODULES); do echo "staticcheck $$module"; (cd $$module && go run $(STATICCHECK) ./...) || exit 1; done
	@for module in $(MODULES); do \
		echo "govulncheck $$module"; \
		output=$$(cd $$module && go run $(GOVULNCHECK) ./... 2>&1) && continue; \
		echo "$$output"; \
		grep -q 'fetching vulnerabilities' <<<"$$output" || exit 1; \
		echo "govulncheck: the vulnerability database is out of reach: NOT CHECKED for known vulnerabilities"; break; \
	done
	@echo "shellcheck"; infra/test/shellcheck/run
	@echo "cfn-lint"; $(VENV)/bin/cfn-lint template.yaml docs/events/templates/*.yaml
	@$(SAM) validate --lint

# To compare two versions: make bench >old.txt, make bench >new.txt, benchstat old.txt new.txt. The heap grows as
# template.yaml lets that of the functions grow.
.PHONY: bench
bench: ## measure handlers, chunks, artifacts, tokens and start-up, beside raw calls, etcd and functions that do nothing
	@mkdir -p $(TOOLS)
	@rm -f $(TOOLS)/bench.samples
	@cd infra/local && go build -o ../../$(TOOLS)/bench ./cmd/bench
	@BENCH_SAMPLES=$(abspath $(TOOLS))/bench.samples GOGC=400 go test -p 1 -timeout 30m -run '^$$' -bench . -benchmem \
		$$(grep -rl '^func Benchmark' --include='*_test.go' functions shared infra/measure/bench | xargs -n 1 dirname | sort -u | sed 's|^|./|')
	@exec $(TOOLS)/bench -samples $(TOOLS)/bench.samples

.PHONY: bench-growth
bench-growth: GROWTH_KEYS ?= 1000,100000,1000000
bench-growth: ## the same operations among more and more keys (GROWTH_KEYS=1000,100000,1000000; some minutes)
	@GROWTH_KEYS=$(GROWTH_KEYS) GOGC=400 go test -p 1 -timeout 60m -run '^$$' -bench Growth ./infra/measure/bench ./functions/installations ./functions/audit ./functions/runs

.PHONY: load
load: DURATION ?= 10m
load: CONNECTIONS ?= 200
load: ## drive the running local stack with mixed traffic (CONNECTIONS=200 DURATION=10m)
	@mkdir -p $(TOOLS)
	@go build -o $(TOOLS)/load ./infra/measure/load/cmd/load
	@exec $(TOOLS)/load -state "$(STATE)" -duration $(DURATION) -connections $(CONNECTIONS)

.PHONY: conformance
conformance: CASES ?= 4000
conformance: SEED ?= 1
conformance: $(TOOLS)/conformance/ready ## send CASES=4000 (at least 2200) requests made from the API document (and SEED=1) to a stack of its own, and judge the answers by it
	@CASES=$(CASES) SEED=$(SEED) infra/test/conformance/run

.PHONY: soak
soak: DURATION ?= 2m
soak: OPERATIONS ?= 0
soak: SEED ?= 0
soak: HTTP ?= 0.25
soak: ## check histories of the store while it fails and is killed (DURATION=2m OPERATIONS=0 SEED=0 HTTP=0.25, the share over HTTP)
	@mkdir -p $(TOOLS)
	@cd infra/measure/soak && go build -o ../../../$(TOOLS)/soak ./cmd/soak
	@exec $(TOOLS)/soak -duration $(DURATION) -operations $(OPERATIONS) -seed $(SEED) -http $(HTTP)

.PHONY: busy-day
busy-day: DELIVERIES ?= 10000
busy-day: ## process DELIVERIES=10000 of two simulated hosts, crossed, a tenth of them twice, the worker killed twenty times, and compare with what is true there and with the undisturbed run
	@DELIVERIES=$(DELIVERIES) go test -count=1 -v -timeout 60m -run TestDayInAnyOrderEndsWithTheTruth ./functions/worker

.PHONY: simulate
simulate: PULLS ?= 1000
simulate: EVENTS ?= 20000
simulate: SEED ?= 1
simulate: ## let PULLS=1000 pull requests live through EVENTS=20000 events, with people, runners and evaluators that are killed, and check the rules after each (and SEED=1)
	@PULLS=$(PULLS) EVENTS=$(EVENTS) SEED=$(SEED) go test -count=1 -v -timeout 120m -run TestRulesHoldWhateverGoesWrong ./infra/test/simulation

# The size is beyond what a test may take: it needs 15 GB of disk and some minutes.
.PHONY: artifact
artifact: ## carry a file of GIB=5 GiB through a local stack of its own, and measure it
	@infra/measure/artifact/run

.PHONY: admin
admin: ## operator's commands (ARGS="help"), on the local stack or on STACK=name in AWS
	@infra/build/compile $(TOOLS)/opsplane-admin infra/admin ./cmd/admin
	@STATE="$(STATE)" STACK="$(STACK)" exec $(TOOLS)/opsplane-admin $(ARGS)

.PHONY: demo
demo: ## send deliveries of GitHub and GitLab to the running local stack, and start plans and applies, so that there is something to query
	@infra/build/compile $(TOOLS)/demo infra/admin ./cmd/demo
	@STATE="$(STATE)" exec $(TOOLS)/demo

.PHONY: host
host: ## do what people do at the simulated GitHub and GitLab of the running local stack: ARGS="pr open", ARGS="pr comment 'terraform apply'", ARGS="pr show"; try ARGS=help
	@infra/build/compile $(TOOLS)/host infra/local ./cmd/host
	@STATE="$(STATE)" exec $(TOOLS)/host $(ARGS)

.PHONY: vcs
vcs: ## create the GitHub App of a stack, and check what its hosts need; try ARGS=help
	@infra/build/compile $(TOOLS)/vcs infra/admin ./cmd/vcs
	@exec $(TOOLS)/vcs $(ARGS)

.PHONY: sam-build
sam-build: $(VENV)/ready ## package the functions as they are deployed
	@ARCH=$(ARCH) $(SAM) build $(OVERRIDES)

.PHONY: sam-validate
sam-validate: $(VENV)/ready ## test what the template becomes when SAM has transformed it
	@$(VENV)/bin/pytest -q infra/test/sam/test_template.py

.PHONY: sam-local
sam-local: ## serve the template through Docker with "sam local start-api"
	@infra/test/sam/run local

.PHONY: sam-test
sam-test: ## invoke the packaged functions in containers with every event of events/
	@infra/test/sam/run test

.PHONY: deploy
deploy: $(VENV)/ready ## build and deploy with the production profile of samconfig.toml
	@ARCH=$(ARCH) $(SAM) build --config-env production
	@$(SAM) deploy --config-env production $(OVERRIDES)

.PHONY: clean
clean: ## remove what was built and downloaded here (bin, .aws-sam, .tools), and the data of the local stack in $(STATE)
	@if [ -e "$(STATE)" ] || [ -e $(TOOLS) ]; then echo "removing $(TOOLS), and the stack's data in $(STATE)"; infra/build/compile $(TOOLS)/clean infra/local ./cmd/clean && $(TOOLS)/clean "$(STATE)" $(TOOLS); fi
	rm -rf bin .aws-sam

# A folder of Python packages, pinned by the requirements of what needs them.
define venv
	@rm -rf $(@D)
	@python3 -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@
endef

$(VENV)/ready: infra/test/sam/requirements.txt
	@echo "installing the AWS SAM CLI into $(VENV)"
	$(venv)

$(TOOLS)/conformance/ready: infra/test/conformance/requirements.txt
	@echo "installing schemathesis into $(TOOLS)/conformance"
	$(venv)

$(TOOLS)/shellcheck/ready: infra/test/shellcheck/requirements.txt
	@echo "installing shellcheck into $(TOOLS)/shellcheck"
	$(venv)
