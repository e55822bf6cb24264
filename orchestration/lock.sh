#!/bin/sh
# Make the lock files anew: every version and hash for every platform, and no registry's address.
# The tools come second and take the first file's versions, so that both files agree.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile "$@" --quiet --universal --python-version 3.11 \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-package ecluse
}
compile pyproject.toml --output-file requirements.txt
compile pyproject.toml --extra dev --constraints requirements.txt --output-file requirements-dev.txt
# For tests only: environments of their own, which share nothing with ours.
for name in airflow prefect; do
    compile "orchestration/integrations/$name.in" \
        --output-file "orchestration/integrations/requirements-$name.txt"
done
