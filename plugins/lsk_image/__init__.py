"""The image task of ls-keras: image classification with the paper's networks."""
