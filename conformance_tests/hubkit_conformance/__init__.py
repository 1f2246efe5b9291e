"""The rules that every hub keeps, and the tests that hold it to them.

    pytest --pyargs hubkit_conformance --hubkit-hub NAME

NAME is a registered hub or "module:Class". `rules` lists the rules, `hosts` says what the author of a
hub that is a guest of an event loop supplies for the tests that mix the two, `faults` makes right hubs
wrong to see that the tests notice, `soak` runs them for hours.
"""
