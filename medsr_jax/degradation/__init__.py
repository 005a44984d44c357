"""What a link does to an image, in pure JAX: functions that jit, vmap and differentiate."""
