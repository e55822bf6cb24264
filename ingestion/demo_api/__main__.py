"""`python -m ingestion.demo_api`: the server as a process of its own."""

from ingestion.demo_api.command import demo_api

if __name__ == "__main__":
    demo_api(prog_name="demo_api")
