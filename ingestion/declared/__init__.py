"""Sources that are described in data: REST APIs, SQL databases, files."""
