"""Reads foreign files into drafts of seeds; writes to no store."""
