"""Step files in the words of older dialects of Motia, each run for real."""
