"""The past: rebuilding a published version, comparing two, forgetting what none of them needs."""
