"""Live sources: what they say, and what follows from it."""
