"""Layers that the models share. All of them leave padding without effect."""
