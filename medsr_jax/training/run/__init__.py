"""A training run: set-up, loop, schedules, checkpoints, validation, records."""
