#!/usr/bin/env bash
# Loads a running server of the OpenAI API: scripts/benchmark.sh [URL] [options of `hydra bench`].
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
make --no-print-directory build
export PATH="$PWD/node_modules/.bin:$PATH"
exec node dist/apps/cli/src/main.js bench "$@"
