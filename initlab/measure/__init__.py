"""What networks show: statistics of layers, histograms, signals through depth, intervals over seeds."""
