"""Contenders timed in turns, and the time that is left for it."""
import signal
import statistics
import time
from contextlib import contextmanager


class OutOfTime(Exception):
    """The time for a case, or for all of them, has run out."""


class Budget:
    """Seconds from now on; `reserve` of them are for writing results at the end."""

    def __init__(self, seconds, reserve=10.0, clock=time.monotonic):
        self.clock, self.start, self.end = clock, clock(), clock() + seconds - reserve

    def left(self):
        return self.end - self.clock()

    def spent(self):
        return self.clock() - self.start

    def share(self, cases_left):
        """Of a case when so many have not begun: a case may take half as much again as its part."""
        return min(self.left(), 1.5 * self.left() / max(cases_left, 1))

    @contextmanager
    def limited(self, seconds):
        """Raises OutOfTime inside the block after so many seconds. In the main thread."""
        if seconds <= 0:
            raise OutOfTime

        def stop(signum, frame):
            raise OutOfTime

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, should a library swallow the first
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def interleaved(bursts, rounds):
    """`bursts`: name -> function that runs a contender for a few milliseconds and gives the seconds of one run. Each
    round asks every contender once, beginning with another one than the round before. Gives name -> seconds, and
    name -> message of those that failed, which are not asked again."""
    samples, failed = {name: [] for name in bursts}, {}
    names = list(bursts)
    for r in range(rounds):
        at = r % max(len(names), 1)
        for name in names[at:] + names[:at]:
            if name in failed:
                continue
            try:
                samples[name].append(bursts[name]())
            except OutOfTime:
                raise
            except Exception as problem:  # of whatever library
                failed[name] = first_line(problem)
    return samples, failed


def first_line(problem):
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]


def figures(case, seconds):
    """What a row says of a contender."""
    median = statistics.median(seconds)
    return {"status": "ok", "median_us": 1e6 * median, "samples_us": [1e6 * s for s in seconds],
            "tflops": case.flops / median * 1e-12 if case.flops else None, "tb_s": case.bytes / median * 1e-12}
