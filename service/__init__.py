import feeds  # noqa: F401 (it chooses the database of time zones)
