"""`python -m hubkit` is the command `hubkit`."""

import sys

from .cli import main

sys.exit(main())
