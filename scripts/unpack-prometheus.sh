#!/usr/bin/env bash
# Unpacks Debian's prometheus and promtool into a folder, without root: `usr/bin` of it. Does nothing when they are there.
# usage: unpack-prometheus.sh FOLDER
set -euo pipefail
folder=$1
[ -x "$folder/usr/bin/prometheus" ] && exit 0
command -v apt-get >/dev/null || { echo 'needs prometheus and promtool in the PATH: https://prometheus.io/download/' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
echo 'Unpacking Prometheus ...'
# The lists of a fresh machine are empty; they are kept beside, since those of the system are root's.
options=()
if ! apt-cache show prometheus >/dev/null 2>&1; then
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  options=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
  apt-get "${options[@]}" -qq update
fi
(cd "$work" && apt-get "${options[@]}" -qq -o APT::Sandbox::User="$(id -un)" download prometheus)
mkdir -p "$folder"
dpkg -x "$work"/prometheus_*.deb "$folder"
