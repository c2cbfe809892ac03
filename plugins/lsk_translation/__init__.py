"""The translation task of ls-keras."""
