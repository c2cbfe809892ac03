"""A model of one's own from a file, trained and studied without a plugin of its own."""
