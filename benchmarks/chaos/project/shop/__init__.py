"""The one app of the project under fire: what is sent, and what came of it."""
