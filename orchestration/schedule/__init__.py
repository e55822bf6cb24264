"""The built-in scheduler: when a run is due, by the clock, by a call or by new data."""
