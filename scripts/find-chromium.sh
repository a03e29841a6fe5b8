#!/usr/bin/env bash
# Prints the path of a Chromium or Chrome; installs Debian's where there is none and packages may be installed.
set -euo pipefail
find_one() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v "$name" && return; done
  return 1
}
find_one && exit
if command -v apt-get >/dev/null; then
  as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  echo 'Installing Chromium ...' >&2
  { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || true
fi
find_one || { echo 'no Chromium: install it (Debian: apt-get install chromium), or set HYDRA_TEST_CHROMIUM' >&2; exit 1; }
