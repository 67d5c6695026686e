"""How good a model is: accuracy on labels, fidelity to a float reference."""
