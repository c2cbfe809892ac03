"""One page about runs, for people: self-contained HTML from files that are there, without Keras."""
