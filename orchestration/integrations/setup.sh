#!/bin/sh
# Make .venv-airflow or .venv-prefect from its lock file; does nothing when it is current.
# Usage: setup.sh airflow | prefect
#
# For our tests of the DAG and the flow. A team has its own Airflow or Prefect, and needs only the
# one file. Every package must match a hash. PYTHON names another Python than `python3`.
set -eu

name=${1:?which one: airflow or prefect}
cd "$(dirname "$0")/../.."
lock=orchestration/integrations/requirements-$name.txt
[ -f "$lock" ] || { echo "ecluse: there is no $lock: give airflow or prefect" >&2; exit 2; }

key="$(cksum <"$lock") $(pwd)"
[ "$(cat ".venv-$name/installed" 2>/dev/null)" = "$key" ] && exit 0
python=${PYTHON:-.venv/bin/python}
command -v "$python" >/dev/null || python=python3

echo "ecluse: making .venv-$name of $(grep -c '==' "$lock") locked packages; this takes a minute" >&2
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_USER=0 PIP_NO_INPUT=1
if [ -n "${PIP_CACHE_DIR:-}" ]; then cache=""; else cache="--no-cache-dir"; fi
rm -rf ".venv-$name"
if ! "$python" -m venv ".venv-$name" ||
    ! ".venv-$name/bin/python" -m pip install -qq $cache --no-deps \
        --require-hashes -r "$lock"; then
    echo "ecluse: .venv-$name could not be made: check the network and the free space" >&2
    exit 1
fi
printf '%s' "$key" >".venv-$name/installed"
