"""A project of very many Steps, written when it is wanted, and how long it takes to be there."""
