"""A report of a store: its numbers, drawings of them, and the page that holds both."""
