"""The report: what lies in a folder, read, put together and shown as one HTML page."""
