"""Mean-field theory: a scheme and an activation function -> what every layer of a wide network will do."""
