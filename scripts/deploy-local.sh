#!/usr/bin/env bash
# Installs the platform on Kubernetes from this folder: builds the images, brings them to the cluster and installs the chart, or upgrades it.
# Takes kubectl's current context or, when there is none, makes a cluster with kind. Arguments go to helm (--set 'models[0].id=...').
#   HYDRA_IMAGE_REGISTRY  a registry that has the images: nothing is built
#   HYDRA_IMAGE_TAG       their tag; default: that of the commit
#   HYDRA_NAMESPACE, HYDRA_RELEASE  default: hydraserve, llm
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
registry=${HYDRA_IMAGE_REGISTRY:-}
tag=${HYDRA_IMAGE_TAG:-local-$(git rev-parse --short HEAD 2>/dev/null || echo build)}
namespace=${HYDRA_NAMESPACE:-hydraserve} release=${HYDRA_RELEASE:-llm}
apps=(gateway scheduler inference kvcache)

missing=''
need() { command -v "$1" >/dev/null || missing+="  $1: $2"$'\n'; }
need kubectl 'https://kubernetes.io/docs/tasks/tools, talks to the cluster'
need helm 'https://helm.sh/docs/intro/install, installs the chart'
[ -n "$registry" ] || need docker 'https://docs.docker.com/engine/install, builds the images; or set HYDRA_IMAGE_REGISTRY to a registry that has them'
context=$(kubectl config current-context 2>/dev/null || true)
[ -n "$context" ] || need kind 'https://kind.sigs.k8s.io, makes a cluster here: kubectl has no current context'
if [ -n "$missing" ]; then
  printf 'deploy-local needs what is not here:\n%s' "$missing" >&2
  exit 1
fi

if [ -z "$context" ]; then
  kind create cluster --name hydraserve --wait 5m
  context=kind-hydraserve
fi
image() { echo "${registry:+$registry/}hydraserve/$1:$tag"; }
if [ -z "$registry" ]; then
  registry=docker.io # what Docker and the cluster call an image without a registry
  for app in "${apps[@]}"; do docker build --target "$app" --tag "$(image "$app")" .; done
  case $context in
    kind-*) for app in "${apps[@]}"; do kind load docker-image --name "${context#kind-}" "$(image "$app")"; done ;;
    minikube) for app in "${apps[@]}"; do minikube image load "$(image "$app")"; done ;;
    docker-desktop | orbstack | rancher-desktop) ;; # they share Docker's images
    *)
      echo "The cluster of the context $context cannot see images of this machine: push them, and set HYDRA_IMAGE_REGISTRY." >&2
      exit 1
      ;;
  esac
fi

helm upgrade --install "$release" helm/hydraserve --kube-context "$context" --namespace "$namespace" --create-namespace \
  --set-string "image.registry=$registry" --set-string "image.tag=$tag" --wait --timeout 15m "$@"
