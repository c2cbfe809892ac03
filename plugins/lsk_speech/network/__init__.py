"""The speech recognizer: encoder, attention and decoder."""
