"""Cooperative modules in the shape of the standard library's.

What must live here: one module for each of the standard library's that waits, under its name and with
its names. What these must not know: any hub.

`from hubkit.green import socket` instead of `import socket` is all that a program needs to change; it
then waits on whichever hub was chosen. Nothing of the standard library itself is changed.
"""
