#!/usr/bin/env bash
# Install what the tests need and pip cannot give: RabbitMQ, MariaDB, what mysqlclient is built with,
# and Chromium, by apt where that is possible. Where it is not, say what to install and go on, unless
# CI=true: there it is an error.
set -euo pipefail

packages=()
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null ||
    packages+=(rabbitmq-server)
# Not mariadb-server: it would start one of its own.
[ -x /usr/sbin/mariadbd ] || command -v mariadbd >/dev/null ||
    packages+=(mariadb-server-core mariadb-client-core)
command -v mariadb_config >/dev/null || packages+=(libmariadb-dev)
command -v pkg-config >/dev/null || packages+=(pkg-config)
command -v cc >/dev/null || packages+=(gcc libc6-dev)
"${PYTHON:-python3}" -c 'import os, sysconfig as at
exit(not os.path.exists(at.get_path("include") + "/Python.h"))' || packages+=(python3-dev)
command -v chromium >/dev/null || packages+=(chromium)
[ "${#packages[@]}" -gt 0 ] || exit 0

give_up() {
    echo "$1 Install by hand: ${packages[*]}." >&2
    if [ "${CI:-}" = true ]; then
        echo "CI=true: every real server is compulsory, so this is an error." >&2
        exit 1
    fi
    echo "Going on without: the tests that need them will be skipped, saying so." >&2
    exit 0
}

command -v apt-get >/dev/null || give_up "There is no apt-get on this machine."
[ "$(id -u)" = 0 ] || give_up "Only root may apt-get install, and you are $(id -un)."

echo "Installing with apt-get: ${packages[*]} (once; a minute or two)."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "${packages[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    give_up "apt-get failed, see above."
fi
