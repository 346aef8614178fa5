"""The pictures of the documentation, one module a scenario."""
