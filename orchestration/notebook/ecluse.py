"""What notebooks import: `from ecluse import marts`, then `marts.read("orders")`.

Alone in its folder, which pyproject.toml puts on the path of the project's .venv.
"""

from orchestration import marts

__all__ = ["marts"]
