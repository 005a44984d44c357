"""How good a link is: metrics, baselines, and whole images sent and restored."""
