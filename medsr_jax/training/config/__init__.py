"""The fields of a config, with their defaults and ranges."""
