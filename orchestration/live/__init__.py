"""What others see of a run: the live page and the server for it, metrics, spans.

A run needs nothing of this; what goes wrong here is a note in its record.
"""
