import sys

from tests.jobs.chaos.chaos import main

sys.exit(main())
