"""Which operators an accelerator would take of a model: tables and rules, executes nothing."""
