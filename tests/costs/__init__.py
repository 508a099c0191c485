"""What things cost, by what can be counted: queries exactly, calls of functions within bounds."""
