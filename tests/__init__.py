"""The tests of motia_django, laid out like the package."""
