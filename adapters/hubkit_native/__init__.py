"""The native hub: hubkit's scheduler polling by itself, on greenlets and nothing else."""

from hubkit.contract import Adapter

adapter = Adapter(
    name="native",
    hub="hubkit_native.hub:NativeHub",
    requires=("greenlet",),
    install="pip install hubkit",
    distribution="greenlet",
)
