"""Views of scored singing: the results table, the results page, the page that compares experiments."""
