"""Walk one row of a mart back to the rows of raw, and to the request that brought them."""
