"""Speech recognition: recurrent networks with attention on spoken utterances."""
