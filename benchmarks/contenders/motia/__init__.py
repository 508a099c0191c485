"""The sample project, with its streams."""
