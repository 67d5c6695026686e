"""What an app team receives: models, labels, golden vectors, and the proof that they hold."""
