#!/usr/bin/env bash
# Fails when generated code is not what proto/ and libs/engine/wasm/ generate.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/node_modules/.bin:$PWD/scripts/tools/node_modules/.bin:$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd proto && sed "s#out: .*#out: $folder#" buf.gen.yaml > "$folder.yaml" && buf generate --template "$folder.yaml" && rm "$folder.yaml")
diff -r "$folder" libs/contracts/src/generated || { echo 'generated code is stale: run scripts/generate-proto.sh' >&2; exit 1; }
scripts/generate-wasm.sh "$folder/row-passes.ts"
diff "$folder/row-passes.ts" libs/engine/src/sampling/generated/row-passes.ts ||
  { echo 'generated code is stale: run scripts/generate-wasm.sh' >&2; exit 1; }
