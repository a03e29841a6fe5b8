#!/usr/bin/env bash
# Builds helm and a Kubernetes control plane from Go modules (once per version, under .cache: half an hour of a core), and runs the suites of
# the chart. Arguments go to vitest. Needs beside Node: go, openssl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
need() { command -v "$1" >/dev/null || { echo "test-kubernetes needs $1: $2" >&2; exit 1; }; }
need go 'https://go.dev/dl/, to build helm and the control plane'
need openssl 'https://openssl.org, for the certificates of the control plane'

tools=$PWD/test/kubernetes/tools cache=$PWD/.cache/kubernetes
# NAME PACKAGE LDFLAGS: a program of tools/NAME, named after what it is made of.
program() {
  local binary
  binary=$cache/$1-$(cat "$tools/$1"/* | cksum | cut -d' ' -f1)
  if [ ! -x "$binary" ]; then
    echo "Building $1 ..." >&2
    (cd "$tools/$1" && CGO_ENABLED=0 go build -mod=mod -trimpath -buildvcs=false -ldflags "-s -w $3" -o "$binary" "$2")
  fi
  echo "$binary"
}
module() { # MODULE@VERSION: its folder
  (cd "$cache" && go mod download -json "$1" 2>/dev/null | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
}

mkdir -p "$cache"
version=$(sed -n 's#^require k8s.io/kubernetes \(v[0-9.]*\).*#\1#p; s#^\tk8s.io/kubernetes \(v[0-9.]*\)$#\1#p' "$tools/control-plane/go.mod" | head -1)
minor=${version#v1.} stamp=k8s.io/component-base/version
HYDRA_TEST_HELM=$(program helm helm.sh/helm/v4/cmd/helm '')
HYDRA_TEST_CONTROL_PLANE=$(program control-plane . "-X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}")
HYDRA_TEST_KWOK_STAGES=$cache/stages.yaml
kwok=$(module "$(sed -n 's#^\tsigs.k8s.io/kwok \(v[0-9.]*\).*#sigs.k8s.io/kwok@\1#p' "$tools/control-plane/go.mod")")
(cd "$kwok/kustomize/stage" && for stage in node/fast/node-*.yaml node/heartbeat-with-lease/node-*.yaml pod/general/pod-*.yaml; do
  cat "$stage"; printf '\n---\n'
done) > "$HYDRA_TEST_KWOK_STAGES"
HYDRA_TEST_CRDS=$(module sigs.k8s.io/gateway-api@v1.6.3)/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
for kind in podmonitors servicemonitors prometheusrules; do
  HYDRA_TEST_CRDS+=:$(module github.com/prometheus-operator/prometheus-operator@v0.85.0)/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml
done
HYDRA_TEST_CRDS+=:$(module github.com/cert-manager/cert-manager@v1.21.2)/deploy/crds/cert-manager.io_certificates.yaml
export HYDRA_TEST_HELM HYDRA_TEST_CONTROL_PLANE HYDRA_TEST_KWOK_STAGES HYDRA_TEST_CRDS
npx vitest run --config vitest.kubernetes.config.ts "$@"
