"""One folder for each source: endpoints, keys, cursor, contract, and the quirks of its API."""
