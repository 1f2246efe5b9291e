"""What `hubkit.testing.lint` is made of.

clauses  the sentences of the contract that are checked
record   what is noted of one hub, and what is told of a violation
order    what must come in the order in which it was asked for
calls    callbacks
tasks    tasks that were started
hub      the verbs
"""
