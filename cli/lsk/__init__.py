"""The command line of ls-keras."""
