"""From a source to a verified file and its manifest."""
