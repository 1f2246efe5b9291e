"""What pytest needs to know of hubkit.testing.

A package of its own, for pytest loads plugins in every run: it must not import hubkit before a test does.
"""
