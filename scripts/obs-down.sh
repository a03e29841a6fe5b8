#!/usr/bin/env bash
# Ends what scripts/obs-up.sh started, and nothing else. What Prometheus has stored stays.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/obs-common.sh"
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
if compose_works; then
  docker compose -f observability/compose.yaml down
  exit
fi
echo 'Nothing of it runs.'
