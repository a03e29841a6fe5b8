#!/usr/bin/env bash
# The platform on this machine; same as `make run`. Settings: hydra.yaml and the environment (docs/configuration.md).
exec make --no-print-directory -C "$(dirname "${BASH_SOURCE[0]}")/.." run
