"""The report: one self-contained HTML page about runs, made from their files without Keras."""
