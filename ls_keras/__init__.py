"""Label smoothing for Keras, understood and usable."""
