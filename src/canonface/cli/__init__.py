"""The command line: commands and words, no numerics."""
