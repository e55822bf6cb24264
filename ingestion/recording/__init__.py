"""Answers of a real API, kept without secrets and personal data, to load from and to compare with.

vcrpy stands between requests and the network, so paging, retries and the contract are the real ones
when a recording is played.
"""
