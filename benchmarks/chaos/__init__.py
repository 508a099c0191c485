"""The promises under fire: messages are sent while workers, brokers and databases fail.

`python -m benchmarks.chaos` runs it; `docs/reliability.md` has what it found.
"""
