"""Whether facts that were written are sound, and whether they behave as their scenario declares."""
