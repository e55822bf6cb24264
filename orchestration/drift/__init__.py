"""Drift: what is measured of the tables after each build, and what is out of the ordinary."""
