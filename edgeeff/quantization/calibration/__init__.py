"""What is known of a network's activations: pictures, observations, ranges."""
