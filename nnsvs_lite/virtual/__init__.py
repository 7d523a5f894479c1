"""The embedded singer that makes the demo corpus."""
