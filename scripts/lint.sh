#!/usr/bin/env bash
# What `make lint` checks; stops at the first finding.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$PWD/scripts/tools/node_modules/.bin
export PATH="$PWD/node_modules/.bin:$tools:$PATH"

step() { printf -- '-- %s\n' "$1"; }

step 'format and lint (biome)'
biome ci --error-on-warnings --colors=$([ -t 1 ] && echo force || echo off) .
step 'types (tsc)'
tsc -p tsconfig.json
tsc -p apps/console
step 'import rules (dependency-cruiser)'
depcruise --config .dependency-cruiser.cjs apps libs
step 'unused code (knip)'
knip --no-progress
step 'protocols (buf)'
(cd proto && buf lint)
step 'generated code'
scripts/check-generated.sh
