#!/usr/bin/env bash
# Regenerates libs/contracts/src/generated from proto/. The result is committed; run this after a change of a .proto file.
# Needs: npm (installs buf and ts-proto into scripts/tools). No network at generation time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -x scripts/tools/node_modules/.bin/buf ] || npm ci --prefix scripts/tools --loglevel=error
export PATH="$PWD/node_modules/.bin:$PWD/scripts/tools/node_modules/.bin:$PATH"
cd proto
buf lint
buf generate
