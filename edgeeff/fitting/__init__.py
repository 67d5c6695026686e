"""A network for a budget: which one to take, found by building and measuring real files."""
