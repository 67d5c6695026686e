"""What is changed in a float network so that rounding costs less."""
