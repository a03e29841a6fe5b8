# What obs-up.sh and obs-down.sh share; to be sourced.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export HYDRA_OBS=${HYDRA_OBS:-$PWD/.cache/observability} HYDRA_RUN=${HYDRA_HOME:-$HOME/.cache/hydraserve}/run
pid_file=$HYDRA_OBS/prometheus.pid

compose_works() {
  docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1
}
