"""Mutants of our modules, each put before the tests: whether they notice what is wrong."""
