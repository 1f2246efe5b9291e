"""How long hypothesis looks for counterexamples.

    pytest tests/properties                              # what CI does: always the same examples
    pytest tests/properties --hypothesis-profile=long    # other examples each time, many more of them

The first shows a counterexample as it was found; the second makes it as short as it can, which takes minutes.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

#: A deadline would measure the machine's load.
COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

settings.register_profile(
    "short",
    max_examples=40,
    stateful_step_count=30,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    **COMMON,
)
settings.register_profile("long", max_examples=5000, stateful_step_count=80, **COMMON)
settings.load_profile("short")
