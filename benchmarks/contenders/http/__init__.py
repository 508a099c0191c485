"""The project of `benchmarks.http`: the same endpoint in each way there is, of 3 and of 60 fields."""
