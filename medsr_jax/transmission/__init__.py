"""The sender: shrink, map to codes, encode, and the packet that travels. NumPy, imagecodecs and pydicom; never JAX."""
