"""What the past is good for: two states compared, raw history removed that nobody needs."""
