#!/usr/bin/env bash
# The quota test of `make test-integration` with 1,000 streams: four gateways, random kill -9. Takes some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export HYDRA_TEST_STREAMS=${1:-1000}
exec scripts/test-integration.sh test/integration/shared-quotas.test.ts --testTimeout=1800000
