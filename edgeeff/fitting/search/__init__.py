"""The search for a network on the user's own pictures, shared by processes and machines."""
