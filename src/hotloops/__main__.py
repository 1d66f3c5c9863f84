"""The command line as `python -m hotloops`."""

import sys

from .cli.main import main

sys.exit(main())
