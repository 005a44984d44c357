"""``python -m medsr_jax.training.config > docs/config.md``."""

from medsr_jax.training.config.page import page

if __name__ == "__main__":
    print(page(), end="")
