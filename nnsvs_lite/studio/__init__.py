"""A small studio in the browser: write or open a score, sing it, look at it and hear it."""
