"""Super-resolution and restoration of radiographs sent over thin links."""
