#!/usr/bin/env bash
# Schemathesis over the API for as long as one likes: `scripts/fuzz-api.sh [SECONDS]`, default half an hour with and as long without a key, and once more with
# the model that is served. `HYDRA_FUZZ_SEED` repeats a run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export HYDRA_FUZZ_SECONDS=${1:-1800} HYDRA_FUZZ_EXAMPLES=100000
exec scripts/test-integration.sh test/integration/schemathesis.test.ts --testTimeout=0
