"""The steps from an empty database to today's schema, forward only; run by `Store.open`."""
