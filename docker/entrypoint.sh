#!/usr/bin/env bash
# Runs the container's command inside the sourced workspace.
set -euo pipefail
. /hop/env.sh
exec "$@"
