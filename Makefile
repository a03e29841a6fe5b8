# HydraServe: `make run` starts the platform with a real model, `make test` tests it. Both need Node >= 20, npm, make, git.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# A current Node comes as a locked dependency; it must be first in PATH.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# The CPU libraries of ONNX Runtime are in its package; `make gpu-libraries` adds CUDA's.
export ONNXRUNTIME_NODE_INSTALL := skip
export SCARF_ANALYTICS := false

NPM_CI := npm ci --loglevel=error --no-audit --no-fund
SOURCES := $(shell find apps libs -name '*.ts' -not -name '*.test.ts' 2>/dev/null) $(shell find apps/console -name '*.tsx' -o -name '*.css' -o -name '*.html' -o -name '*.svg' 2>/dev/null)

node_modules/.stamp: package.json package-lock.json
	@echo 'Installing dependencies ...'
	@$(NPM_CI)
	@touch $@

scripts/tools/node_modules/.stamp: scripts/tools/package.json scripts/tools/package-lock.json
	@$(NPM_CI) --prefix scripts/tools
	@touch $@

dist/.stamp: node_modules/.stamp tsconfig.json tsconfig.build.json $(SOURCES)
	@echo 'Building ...'
	@npm run --silent build
	@touch $@

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

.PHONY: run
run: dist/.stamp ## the platform with a real model, on http://127.0.0.1:8080
	@exec node dist/apps/cli/src/main.js up

.PHONY: obs-up
obs-up: ## Prometheus, Grafana and a collector beside `make run`: by Compose, else a local Prometheus
	@scripts/obs-up.sh

.PHONY: obs-down
obs-down: ## end what obs-up started
	@scripts/obs-down.sh

.PHONY: build
build: dist/.stamp ## compile TypeScript to dist/

.PHONY: test
test: dist/.stamp ## unit, conformance, property and process tests; needs nothing but Node
	@npm run --silent test

.PHONY: test-integration
test-integration: dist/.stamp ## tests with Python clients, grpcurl and peers; installs what it needs
	@scripts/test-integration.sh

.PHONY: test-rollout
test-rollout: dist/.stamp ## restarts every app three times under load: nothing may fail or be cut short; prints a report
	@npx vitest run --config vitest.rollout.config.ts

.PHONY: deploy-local
deploy-local: ## build the images and install the chart on kubectl's current context, or on a cluster of kind
	@scripts/deploy-local.sh

.PHONY: test-kubernetes
test-kubernetes: node_modules/.stamp ## the Helm chart; builds helm from its Go module at the first time
	@scripts/test-kubernetes.sh

.PHONY: lint
lint: node_modules/.stamp scripts/tools/node_modules/.stamp ## format, lint, types, import rules, unused code, protocols
	@scripts/lint.sh

.PHONY: format
format: node_modules/.stamp scripts/tools/node_modules/.stamp ## let the formatter and the safe fixes of the linter rewrite files
	@scripts/tools/node_modules/.bin/biome check --write .

.PHONY: bench
bench: dist/.stamp ## TTFT, ITL and tokens/s through the gateway and of the engine alone
	@node bench/run.mjs

.PHONY: bench-engine
bench-engine: dist/.stamp ## the embedded engine against its peers; writes docs/benchmarks/
	@node bench/engine/run.mjs --docs docs

.PHONY: bench-scheduler
bench-scheduler: dist/.stamp ## decisions with 10 million KV blocks, 64 workers at 500 requests/s, ten times overload, chats on two workers
	@node bench/scheduler/run.mjs

.PHONY: bench-gateway
bench-gateway: dist/.stamp ## what the gateway costs, alone on a core; writes docs/benchmarks/
	@node bench/gateway/run.mjs --docs docs

.PHONY: gpu-libraries
gpu-libraries: node_modules/.stamp ## CUDA libraries of ONNX Runtime, on a machine with an NVIDIA GPU
	@ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js

.PHONY: clean
clean: ## remove the build and the dependencies
	@rm -rf dist node_modules scripts/tools/node_modules
