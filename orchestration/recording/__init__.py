"""Recordings of APIs: made, compared, and played to a load. What they are is known in ingestion."""
