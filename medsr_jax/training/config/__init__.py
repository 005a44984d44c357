"""The fields of a config: schema, rules for several fields, check, variants, and their page of the documentation."""
