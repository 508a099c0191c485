#!/usr/bin/env bash
# Install wrk, which asks the contenders of `benchmarks.http`: by apt where that is possible. Where it
# is not, say so and go on: that benchmark then says what it lacks.
set -euo pipefail

command -v wrk >/dev/null && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing with apt-get: wrk (once)."
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -q -y --no-install-recommends wrk; } >/dev/null 2>&1 && exit 0
fi
echo "wrk could not be installed; benchmarks.http cannot run without it." >&2
