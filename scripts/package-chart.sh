#!/usr/bin/env bash
# package-chart.sh REPOSITORY FOLDER: packs the chart into FOLDER with images of REPOSITORY (REGISTRY/PATH) as its default, so that who
# installs a release gets the images of that release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=${1:?the repository of the images: REGISTRY/PATH} folder=${2:?where the package goes}
helm=${HYDRA_TEST_HELM:-helm}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R helm/hydraserve "$copy/hydraserve"
sed -e "/^image:/,/^[a-z]/{s#^  registry: .*#  registry: ${repository%%/*}#; s#^  repository: .*#  repository: ${repository#*/}#;}" \
  helm/hydraserve/values.yaml > "$copy/hydraserve/values.yaml"
"$helm" package "$copy/hydraserve" --destination "$folder"
