"""DICOM objects: reading, pixel data, and derived objects with their provenance."""
