"""Training data: sets made of folders, images of sets and folders, and endless batches of pairs or crops of them."""
