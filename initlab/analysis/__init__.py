"""What we ask of a network and of its history: measurements, learning curves, intervals over seeds."""
