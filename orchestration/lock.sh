#!/bin/sh
# Make the lock files anew: every version and hash for every platform, and no registry's address.
# The tools come second and take the first file's versions, so that both files agree.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-package ecluse \
        "$@"
}
compile --output-file requirements.txt
compile --extra dev --constraints requirements.txt --output-file requirements-dev.txt
