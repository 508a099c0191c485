#!/usr/bin/env bash
# Install Motia's own stream clients, which the tests follow streams by: Node and npm by apt, the
# packages by npm, as tests/clients/package-lock.json pins them. Where that is not possible, say so
# and go on: those tests are skipped then, in CI too, since nothing but apt and pip is promised there.
set -euo pipefail
cd "$(dirname "$0")/../tests/clients"

give_up() {
    echo "$1" >&2
    echo "Going on without: the tests of Motia's own clients will be skipped, saying so." >&2
    exit 0
}

installed=node_modules/.package-lock.json
if [ -e "$installed" ] && [ ! package-lock.json -nt "$installed" ]; then exit 0; fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { command -v node && command -v npm; } >/dev/null; then
    command -v apt-get >/dev/null || give_up "There is no Node here, and no apt-get to install it."
    [ "$(id -u)" = 0 ] || give_up "There is no Node here; only root may apt-get install nodejs npm."
    echo "Installing with apt-get: nodejs npm (once; a minute or two)."
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -q && apt-get install -q -y --no-install-recommends nodejs npm; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        give_up "apt-get failed, see above."
    fi
fi

echo "Installing Motia's own clients with npm (once; some seconds)."
if ! timeout 180 npm ci --ignore-scripts --no-audit --no-fund >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -rf node_modules
    give_up "npm failed, see above."
fi
touch "$installed"
