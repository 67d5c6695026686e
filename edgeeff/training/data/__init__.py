"""What a network learns from: lists of pictures, their pixels in memory, and batches of them."""
