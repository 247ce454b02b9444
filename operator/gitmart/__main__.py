"""`python -m gitmart` is the command `gitmart`."""

import sys

from gitmart.cli import main

sys.exit(main())
