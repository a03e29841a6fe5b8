#!/usr/bin/env bash
# Builds helm from its Go module (once per version, under .cache; six minutes of a core), and runs the suites of the chart.
# Needs beside Node: go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
need() { command -v "$1" >/dev/null || { echo "test-kubernetes needs $1: $2" >&2; exit 1; }; }
need go 'https://go.dev/dl/, to build helm'

tools=test/kubernetes/tools/helm
export HYDRA_TEST_HELM=$PWD/.cache/kubernetes/$(cksum < $tools/go.sum | cut -d' ' -f1)/helm
if [ ! -x "$HYDRA_TEST_HELM" ]; then
  echo 'Building helm ...'
  (cd $tools && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -ldflags '-s -w' -o "$HYDRA_TEST_HELM" helm.sh/helm/v4/cmd/helm)
fi
npx vitest run --config vitest.kubernetes.config.ts "$@"
