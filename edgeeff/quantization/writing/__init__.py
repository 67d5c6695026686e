"""From a corrected float network to the file that an app loads."""
