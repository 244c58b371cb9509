"""`python -m sotabench` is `sotabench`."""

import sys

from sotabench.site import main

sys.exit(main())
