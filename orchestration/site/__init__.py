"""The static site: what happened and what is served, as pages that open from the file system.

`facts` reads, `writer` writes; everything between them is pure: records, rows of ops and the graph
in, pages out.
"""
