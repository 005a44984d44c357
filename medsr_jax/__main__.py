"""``python -m medsr_jax``: the `medsr` command where scripts are not on the path."""

from medsr_jax.cli import main

if __name__ == "__main__":
    main()
