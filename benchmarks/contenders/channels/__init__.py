"""Channels with its layer on Redis pub/sub: nothing is stored, and who is away misses it."""
