"""What every test runs under: one thread for tensors (small ones only lose time to more), and no deadline that a busy
machine could miss; and a disk that is full."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings

settings.register_profile("recfleet", deadline=None, print_blob=True)
settings.load_profile("recfleet")


@pytest.fixture
def files_of_at_most() -> Callable[[int], AbstractContextManager[None]]:
    """As on a disk with so many bytes of room: whatever writes more to any file fails half way."""
    import resource  # no system but those of POSIX has it

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
