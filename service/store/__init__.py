"""The only rooms that know SQL: one engine, and one module of functions a noun."""
