"""Steps for the journeys of observability: one that leads on, and some that fail."""
