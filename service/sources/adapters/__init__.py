"""The adapters by name: one file a source's format."""
