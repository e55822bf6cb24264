"""`python -m orchestration` is `ecluse`."""

from orchestration.cli import main

main()
