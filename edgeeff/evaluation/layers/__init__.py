"""Which layers lose accuracy, and why."""
