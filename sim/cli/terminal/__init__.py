"""What every command has in common with a terminal: options, messages, progress, numbers as people read them."""
