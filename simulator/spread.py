"""Work spread over this process, processes of this machine, or the nodes of a Ray cluster; the same work for all three.

What the pieces share is placed once, not sent with each: processes map its large arrays (joblib's memory maps), nodes
of a cluster take it from their object store. A piece that fails is given back as a `Failure` and the others go on.

The cluster is used through Ray's own tasks and not through its backend for joblib: that one patches a class of joblib,
sends what is shared with every piece, and ends for good with the first worker that dies, where tasks are tried again.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from threading import RLock, Thread
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import uuid4

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from scenarios.errors import UserError, WriteError

S = TypeVar("S")
P = TypeVar("P")
B = TypeVar("B")
Work = Callable[[S, P], B]
"""Called with what is shared and a piece; gives back what the piece became."""


@dataclass(frozen=True)
class Failure:
    """Why a piece came to nothing: a line, and the traceback for who wants to mend it."""

    why: str
    trace: str = ""


PATIENCE_S = 10.0
"""For a machine of a cluster to take a connection."""
DIED = Failure("its process was killed; is there enough memory?")


class Spread(Protocol):
    """Where work is done."""

    away: ClassVar[bool]
    """Whether it is done where this machine's files may not be."""

    def each(self, work: Work[S, P, B], shared: S, pieces: Sequence[P]) -> Iterator[tuple[P, B | Failure]]:
        """Do the work on every piece; pieces come back as they are done. Raises `WriteError` where a disk is full."""


@dataclass(frozen=True)
class Here:
    """This process, one piece after the other."""

    away: ClassVar[bool] = False

    def each(self, work: Work[S, P, B], shared: S, pieces: Sequence[P]) -> Iterator[tuple[P, B | Failure]]:
        """Do the work on every piece, in order."""
        for piece in pieces:
            yield piece, _tried(work, shared, piece)


@dataclass(frozen=True)
class Processes:
    """Processes of this machine."""

    jobs: int
    away: ClassVar[bool] = False

    def each(self, work: Work[S, P, B], shared: S, pieces: Sequence[P]) -> Iterator[tuple[P, B | Failure]]:
        """Do the work on every piece.

        When a process dies nobody knows of which piece it died: those that may have been in work are done once more,
        each in a process of its own.
        """
        placed = _Placed(uuid4().hex, shared, os.getpid())
        left = list(pieces)
        while left:
            try:
                for piece, back in self._together(work, placed, left):
                    left.remove(piece)
                    yield piece, back
            except TerminatedWorkerError:
                for suspect in left[: 2 * self.jobs]:
                    left.remove(suspect)
                    try:
                        yield from self._together(work, placed, [suspect])
                    except TerminatedWorkerError:
                        yield suspect, DIED

    def _together(self, work: Work[S, P, B], placed: _Placed, pieces: Sequence[P]) -> Iterator[tuple[P, B | Failure]]:
        # loky renews a worker that has grown by 300 MB, which large outcomes make it do, and warns of it.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        # With one job joblib would stay in this process.
        pool = Parallel(max(self.jobs, 2), return_as="generator_unordered", batch_size=1, mmap_mode="c")
        yield from pool(delayed(_in_process)(work, placed, piece) for piece in list(pieces))


@dataclass(frozen=True)
class Cluster:
    """The nodes of a Ray cluster; one on this machine where there is no address."""

    address: str | None
    away: ClassVar[bool] = True

    def each(self, work: Work[S, P, B], shared: S, pieces: Sequence[P]) -> Iterator[tuple[P, B | Failure]]:
        """Do the work on every piece; what a lost node had in work is done elsewhere. Raises `UserError`."""
        try:
            import ray
        except ImportError as error:
            raise UserError("--backend ray: needs the package ray: pip install 'recfleet[ray]'") from error
        ours = not ray.is_initialized()
        if ours:
            self._knock()
            try:
                ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, ValueError) as error:
                raise UserError(f"--address {self.address}: no Ray cluster answers ({error})") from error
        try:
            place = [ray.put(shared)]  # a reference inside a list is not followed when it is sent
            task = ray.remote(_on_node).options(num_cpus=1)
            waiting = {task.remote(work, place, piece): piece for piece in pieces}
            while waiting:
                (done, *_), _ = ray.wait(list(waiting))
                piece = waiting.pop(done)
                try:
                    back: B | Failure = ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise error.as_instanceof_cause() from None
                except ray.exceptions.RayError as error:
                    back = Failure(f"its worker was lost ({str(error).splitlines()[0]})", str(error))
                yield piece, back
        finally:
            if ours:
                ray.shutdown()

    def _knock(self) -> None:
        """Ray itself tries an address where nobody is for minutes. Raises `UserError`."""
        host, _, port = (self.address or "").removeprefix("ray://").rpartition(":")
        if not port.isdecimal():
            return  # none, or a name that only Ray knows
        try:
            socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
        except (OSError, OverflowError) as error:
            raise UserError(f"--address {self.address}: no Ray cluster answers ({error})") from error


@dataclass(frozen=True)
class _Placed:
    """What is shared, with a name by which a process knows that it has it already, and who started it."""

    name: str
    content: Any
    parent: int


_HERE: dict[str, Any] = {}
"""What this worker holds of what is shared, by name: one entry."""


def _held(name: str, fetch: Callable[[], Any]) -> Any:
    if name not in _HERE:
        _HERE.clear()
        _HERE[name] = fetch()
    return _HERE[name]


@cache
def _settle_in(parent: int) -> None:
    """Have this process end soon after the one that started it was killed, instead of waiting for work."""
    tqdm.set_lock(RLock())  # its usual one is shared between processes, and told of as lost when this one is ended

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _in_process(work: Work[S, P, B], placed: _Placed, piece: P) -> tuple[P, B | Failure]:
    _settle_in(placed.parent)
    return piece, _tried(work, _held(placed.name, lambda: placed.content), piece)


def _on_node(work: Work[S, P, B], place: list[Any], piece: P) -> B | Failure:
    import ray

    return _tried(work, _held(place[0].hex(), lambda: ray.get(place[0])), piece)


def _tried(work: Work[S, P, B], shared: S, piece: P) -> B | Failure:
    try:
        return work(shared, piece)
    except WriteError:
        raise  # the next one would meet the same disk
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}".splitlines()[0], traceback.format_exc())
