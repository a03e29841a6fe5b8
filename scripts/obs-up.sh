#!/usr/bin/env bash
# Shows what `hydra up` measures: Prometheus, Grafana and a collector by Compose where Docker works, else a local Prometheus with our rules.
# Environment: HYDRA_HOME (as `hydra up`), HYDRA_METRICS_KEY (for a gateway that wants keys), HYDRA_OBS_PORT (local Prometheus; default 9095),
# HYDRA_OBS (folder of what it writes; default .cache/observability).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/obs-common.sh"
port=${HYDRA_OBS_PORT:-9095}
mkdir -p "$HYDRA_OBS" "$HYDRA_RUN"

configure() { # RULES TARGETS
  (umask 077 && sed -e "s#@RULES@#$1#; s#@TARGETS@#$2#; s#@KEY@#${HYDRA_METRICS_KEY:-none}#" observability/prometheus.yaml > "$HYDRA_OBS/prometheus.yaml")
}

if compose_works; then
  configure /etc/prometheus/rules /etc/prometheus/targets
  chmod 644 "$HYDRA_OBS/prometheus.yaml" # the container's user reads it
  docker compose -f observability/compose.yaml up --detach --wait
  echo 'Started by Compose: Grafana http://127.0.0.1:3000, Prometheus http://127.0.0.1:9095, OTLP on 127.0.0.1:4317 and 4318.'
  exit
fi

if [ -f "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; then
  echo "Prometheus runs already (process $(cat "$pid_file")); make obs-down ends it."
  exit
fi
PATH=$PATH:$PWD/.cache/prometheus/usr/bin
if ! command -v prometheus >/dev/null; then
  echo 'Neither Docker with Compose nor prometheus is here: nothing was started.' >&2
  echo 'Install one of them, or on Debian: scripts/unpack-prometheus.sh .cache/prometheus' >&2
  exit 1
fi
configure "$PWD/helm/hydraserve/rules" "$HYDRA_RUN"
nohup prometheus --config.file="$HYDRA_OBS/prometheus.yaml" --storage.tsdb.path="$HYDRA_OBS/data" \
  --enable-feature=exemplar-storage --web.listen-address="127.0.0.1:$port" > "$HYDRA_OBS/prometheus.log" 2>&1 &
pid=$!
echo "$pid" > "$pid_file"
for _ in $(seq 300); do
  if ! kill -0 "$pid" 2>/dev/null; then break; fi
  if curl --silent --fail --output /dev/null "http://127.0.0.1:$port/-/ready"; then
    echo "No Docker with Compose here: started the local Prometheus at http://127.0.0.1:$port (process $pid), with rules and alerts."
    echo 'Grafana and the collector were not started; the dashboards to import are grafana/dashboards/*.json.'
    exit
  fi
  sleep 0.2
done
rm -f "$pid_file"
kill "$pid" 2>/dev/null || true
echo "Prometheus did not start; its last lines ($HYDRA_OBS/prometheus.log):" >&2
tail -5 "$HYDRA_OBS/prometheus.log" >&2
exit 1
