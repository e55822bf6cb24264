"""The orchestrator: lock, ingest, build, publish, collect, and the record of it all."""
