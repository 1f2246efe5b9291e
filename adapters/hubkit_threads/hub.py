"""The threads hub itself is part of the core: threads without a hub wait on it, whatever was chosen."""

from hubkit.thread_hub import ThreadHub

__all__ = ["ThreadHub"]
