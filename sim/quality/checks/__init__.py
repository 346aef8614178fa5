"""The checks of structure and of values: each module finds one kind of thing that may be wrong."""
