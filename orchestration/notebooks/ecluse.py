"""What notebooks import: `from ecluse import marts`, then `marts.read("orders")`.

pyproject.toml has it installed as `ecluse`, beside the rooms that keep their own names.
"""

from orchestration.notebooks import marts

__all__ = ["marts"]
