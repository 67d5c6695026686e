"""Fine-tuning a variant on pictures of one's own."""
