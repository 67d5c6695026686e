"""The EXIF tag of pictures that were taken on their side."""

ORIENTATION = 0x0112
