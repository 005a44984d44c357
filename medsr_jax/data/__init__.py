"""Training data: prepared sets, images of sets and folders, and endless samples and batches of them."""
