"""Its Steps."""
