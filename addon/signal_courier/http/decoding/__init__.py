"""From bytes to what a route declares: bodies, forms, queries."""
