"""A Motia project brought into a Django app: what is copied, and what is left."""
