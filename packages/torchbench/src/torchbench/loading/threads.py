"""Work done by threads, results in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

# A result that is being made, and the pieces of work that will have completed it.
Started = tuple[T, list[Future[None]]]


def in_order(count: int, start: Callable[[Executor, int], Started[T]], workers: int, ahead: int) -> Generator[T]:
    """Results 0 to `count`, each as soon as its pieces are done, while the next `ahead` are being made.

    The error of the earliest piece is raised, whichever failed first. However the generator ends, no thread is left;
    with 0 workers there is none: each result is made when it is asked for, in the calling thread.
    """
    ahead = ahead if workers else 0
    waiting: deque[Started[T]] = deque()
    with _pool(workers) as pool:
        for number in range(count + ahead):
            if number < count:
                waiting.append(start(pool, number))
            if number < ahead:
                continue
            result, pieces = waiting.popleft()
            for piece in pieces:
                piece.result()
            yield result
            del result, pieces  # its memory may serve the result after next


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    pool = ThreadPoolExecutor(workers, "torchbench-loading") if workers else _CallingThread()
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _CallingThread(Executor):
    """Does the work at once, where it is asked to; what fails is raised there."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done
