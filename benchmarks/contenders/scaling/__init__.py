"""The project of `benchmarks.workers`: a Step that does nothing, on each path."""
