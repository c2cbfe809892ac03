"""The generated English-German corpus of dates, numbers and names."""
