"""The demo: the same service on each hub, real requests, every answer checked, one table.

    answers.py      what is right; service, upstream and client agree on it
    service.py      the service under test           upstream.py     what it calls
    serving.py      life of a serving process        http_client.py  one keep-alive connection
    client.py       the process that asks and checks
    child.py        starting and ending processes    starter.py      what they tell their starter
    interrupts.py   Ctrl-C, where it does no harm    runner.py       hub after hub
    report.py       progress and table

`hubkit demo` runs it.
"""

from .runner import run_demo

__all__ = ["run_demo"]
