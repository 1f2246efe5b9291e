"""The virtual hub: the native one on a simulated clock, for tests."""

from hubkit.contract import Adapter

adapter = Adapter(
    name="virtual",
    hub="hubkit_virtual.hub:VirtualHub",
    requires=("greenlet",),
    install="pip install hubkit",
    distribution="greenlet",
    for_tests=True,
)
