"""Marts for data scientists: `from ecluse import marts`."""
