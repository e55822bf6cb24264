"""dlt sources and the one way to load them. Knows nothing of dbt."""
