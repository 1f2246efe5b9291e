"""The uvloop hub: the asyncio hub, on uvloop where hubkit starts the loop.

Inside an application that runs uvloop itself the asyncio hub is the same and is what is detected.
"""

from hubkit.contract import Adapter

adapter = Adapter(
    name="uvloop",
    hub="hubkit_uvloop.hub:UvloopHub",
    requires=("uvloop",),
    install="pip install 'hubkit[uvloop]'",
    distribution="uvloop",
)
