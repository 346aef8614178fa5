"""The scenario language: what a file may say, how it is read, and what is wrong with it."""
