"""A run whose stages are commands of their own, on one machine or on several."""
