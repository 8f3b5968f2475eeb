"""Hypothesis for the unit tests: the same examples in every run, so that a build does not fail by chance.

`HYPOTHESIS_PROFILE=search pytest tests/unit/ledger` looks for new ones.
"""

import os

from hypothesis import settings

settings.register_profile("stable", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "stable"))
