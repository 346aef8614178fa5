"""Behaviours: what a scenario declares against what its facts show, one kind of behaviour a module."""
