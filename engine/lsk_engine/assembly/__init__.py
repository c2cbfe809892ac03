"""What training and scoring share: loss, sources of batches, the logits contract."""
