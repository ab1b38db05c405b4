"""What every test runs under: one thread for tensors (small ones only lose time to more), and no deadline that a busy
machine could miss."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from hypothesis import settings

settings.register_profile("recfleet", deadline=None, print_blob=True)
settings.load_profile("recfleet")
