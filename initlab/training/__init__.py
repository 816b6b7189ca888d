"""Training: an ensemble, a dataset -> one loop -> a History for each network."""
