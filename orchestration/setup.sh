#!/bin/sh
# Make .venv and install the locked requirements; does nothing when they are current.
# Usage: setup.sh run | dev      (dev adds the tools that `make test` needs)
#
# Writes only below this repository: pip's cache is off unless PIP_CACHE_DIR says where it may be.
# Every package must match a hash of the lock file. PYTHON names another Python than `python3`.
set -eu

level=${1:-run}
cd "$(dirname "$0")/.."

say() { printf 'ecluse: %s\n' "$*" >&2; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if command -v "$name" >/dev/null 2>&1 && fits "$name"; then
            printf '%s' "$name"
            return
        fi
    done
    if command -v "${PYTHON:-python3}" >/dev/null 2>&1; then
        say "needs Python 3.11 or later; ${PYTHON:-python3} is $("${PYTHON:-python3}" -V 2>&1)." \
            "Install a newer one, or name it: make PYTHON=/path/to/python3.12 run"
    else
        say "needs Python 3.11 or later, and there is no ${PYTHON:-python3} here. Install it first."
    fi
    exit 2
}

# What is installed is current when the locks, the metadata and the place are what they were.
key="$(cat requirements.txt requirements-dev.txt pyproject.toml | cksum) $(pwd)"
if [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null; then
    for done in "$level" dev; do
        [ "$(cat ".venv/installed-$done" 2>/dev/null)" = "$key" ] && exit 0
    done
fi

python=$(find_python)
# Scripts hold the path of their Python: a moved or copied .venv is made anew.
case "$(cat .venv/installed-* 2>/dev/null)" in
    *" $(pwd)") fits .venv/bin/python || rm -rf .venv ;;
    *) rm -rf .venv ;;
esac
if [ ! -x .venv/bin/python ]; then
    say "making .venv with $("$python" -V 2>&1)"
    if ! said=$("$python" -m venv .venv 2>&1); then
        rm -rf .venv
        say "$python cannot make a virtual environment (on Debian: apt install python3-venv)." \
            "It said: $(printf '%s' "$said" | tail -n 1)"
        exit 2
    fi
fi

lock=requirements.txt
[ "$level" = dev ] && lock=requirements-dev.txt
say "installing $(grep -c '==' "$lock") locked packages; this happens once and takes a minute"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_USER=0 PIP_NO_INPUT=1
if [ -n "${PIP_CACHE_DIR:-}" ]; then cache=""; else cache="--no-cache-dir"; fi
# --no-deps: the lock is complete, so there is nothing to resolve
if ! .venv/bin/python -m pip install -qq $cache --no-deps --require-hashes -r "$lock" ||
    ! .venv/bin/python -m pip install -qq $cache --no-deps --no-build-isolation -e .; then
    say "the packages could not be installed: check the network and the free space, then run again"
    exit 1
fi
rm -f .venv/installed-*
printf '%s' "$key" >".venv/installed-$level"
