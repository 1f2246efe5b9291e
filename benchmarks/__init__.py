"""Benchmarks: hubkit against the hosts it runs on. `python -m benchmarks --help` says how."""
