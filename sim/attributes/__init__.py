"""Attributes: columns, the generators and modifiers that fill them, and the table that evaluates them in order."""
