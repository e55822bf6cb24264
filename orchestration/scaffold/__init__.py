"""Write the files of a new source, and keep them in step with what it sends."""
