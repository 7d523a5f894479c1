"""Programs: parse arguments, call one function, report."""
