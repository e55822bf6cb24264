"""The graph from an endpoint's JSON path to the columns of an exposure."""
