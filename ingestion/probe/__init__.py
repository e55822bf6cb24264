"""Look at an API, a database or a folder of files, and say what it is: what `new source` writes."""
