"""Time-lag models: note context to the shift of each note."""
