"""Feeds as ready bytes: what is asked for, which entries follow, and the copies kept in memory."""
