"""Duration models: phone context to phone durations."""
