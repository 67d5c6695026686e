"""What is quantized how, as data in TOML, and what each recipe measured."""
