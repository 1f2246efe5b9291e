"""The threads hub: hubkit on OS threads, right inside any program."""

from hubkit.contract import Adapter

adapter = Adapter(
    name="threads",
    hub="hubkit_threads.hub:ThreadHub",
    install="pip install hubkit",
    distribution="hubkit",
)
