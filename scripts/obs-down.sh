#!/usr/bin/env bash
# Ends what scripts/obs-up.sh started, and nothing else. What Prometheus has stored stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export HYDRA_OBS=${HYDRA_OBS:-$PWD/.cache/observability} HYDRA_RUN=${HYDRA_HOME:-$HOME/.cache/hydraserve}/run
pid_file=$HYDRA_OBS/prometheus.pid
if [ -f "$pid_file" ]; then
  pid=$(cat "$pid_file")
  rm -f "$pid_file"
  # The number may be somebody else's by now.
  if [ "$(ps -o comm= -p "$pid" 2>/dev/null)" = prometheus ]; then
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    echo "Ended the local Prometheus (process $pid)."
    exit
  fi
fi
if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
  docker compose -f observability/compose.yaml down
  exit
fi
echo 'Nothing of it runs.'
