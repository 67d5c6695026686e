"""From pictures on disk, or made up, to what a network takes."""
