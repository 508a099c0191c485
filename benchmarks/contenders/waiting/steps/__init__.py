"""The Steps that wait."""
