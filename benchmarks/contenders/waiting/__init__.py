"""The project of `benchmarks.waiting`: the same wait as a view of each kind, and as a Step."""
