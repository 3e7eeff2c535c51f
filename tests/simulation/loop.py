"""A deterministic asyncio event loop: virtual time, seeded order, and processes that can die between any two awaits.

Several simulated processes share one loop. A ContextVar names the process of every task and callback, so a process can
be killed the way `kill -9` kills: nothing of it runs again, no `finally`, no cancellation, and its ports are fenced.

- Time is an integer count of nanoseconds that moves only when nothing is ready. The start is 0.
- The next ready callback is chosen by `pick`; without one the order is first in, first out, as in asyncio's own loop.
- `SimTask` and `SimFuture` hash by a serial number: asyncio iterates sets of them, and ids differ from run to run.
"""

import asyncio
import heapq
from asyncio.events import _set_running_loop
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Never, TypeVarTuple, cast

_Ts = TypeVarTuple("_Ts")

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000
STEPS_MAX = 400_000
"""Callbacks one world may run: polling with `sleep(0)` freezes virtual time, and this bound is what ends it."""
CLOSES_MAX = 50
"""Awaits inside `finally` blocks that burying one coroutine may step over."""
CANCELLED_TIMERS_MIN = 256
"""Cancelled timers kept in the heap before it is rebuilt."""
TASKS_PRUNED_MIN = 256
"""Tasks a process tracks before finished ones are dropped."""


class ProcessDead(BaseException):
    """Stop code of a killed process that reached a port: a BaseException, so that no `except Exception` goes on."""


class Deadlock(Exception):
    """Say that nothing is ready and no timer is set: the awaited thing can never happen."""


class StepBound(Exception):
    """Say that a world ran more callbacks than its bound: something polls or spins."""


class Process:
    """One simulated operating-system process: what a kill takes away, and what its ports ask before they act."""

    def __init__(self, name: str, incarnation: int, loop: "SimLoop") -> None:
        self.name = name
        self.incarnation = incarnation
        self.alive = True
        self.doomed = False
        self.paused = False
        self.held: list[asyncio.Handle] = []
        self.steps = 0
        self.tasks: list[SimTask] = []
        self.on_death: list[Callable[[], None]] = []
        self.context = Context()
        self.on_point: Callable[[Process, str], None] | None = None
        self._loop = loop
        self._prune_at = TASKS_PRUNED_MIN

    def __repr__(self) -> str:
        return f"{self.name}.{self.incarnation}"

    def doom(self) -> None:
        """Die at the end of the running step; until then every port raises."""
        self.doomed = True

    def fence(self) -> None:
        """Raise `ProcessDead` unless this process may still act outside."""
        if not self.alive or self.doomed:
            raise ProcessDead(repr(self))

    def point(self, name: str) -> None:
        """Name a place where a crash fits, in words that survive a change of schedule; then check the fence."""
        if self.on_point is not None and self.alive and not self.doomed:
            self.on_point(self, name)
        self.fence()

    def track(self, task: "SimTask") -> None:
        """Keep a task reachable, so that the garbage collector never ends it in another world."""
        if len(self.tasks) >= self._prune_at:
            self.tasks = [kept for kept in self.tasks if not kept.done()]
            self._prune_at = max(TASKS_PRUNED_MIN, 2 * len(self.tasks))
        self.tasks.append(task)


PROCESS: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class SimFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address."""

    def __init__(self, *, loop: "SimLoop") -> None:
        self._serial = loop.next_serial()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._serial


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address, and that remembers its context for its burial."""

    _log_destroy_pending: bool

    def __init__(
        self, coro: Coroutine[Any, Any, Any], *, loop: "SimLoop", name: str | None, context: Context | None
    ) -> None:
        self._serial = loop.next_serial()
        # An empty Context is falsy.
        self.context = copy_context() if context is None else context
        super().__init__(coro, loop=loop, name=name or f"task-{self._serial}", context=self.context)

    def __hash__(self) -> int:
        return self._serial

    def bury(self) -> None:
        """Close the coroutine of a task that will never run again; what its `finally` blocks await is stepped over."""
        self._log_destroy_pending = False
        if self.done():
            if not self.cancelled():
                self.exception()
            return
        coro = cast("Coroutine[Any, Any, Any]", self.get_coro())
        for _ in range(CLOSES_MAX):
            try:
                self.context.run(coro.close)
            except BaseException:  # noqa: BLE001, S112 - dead code may raise anything; none of it counts any more
                continue
            return
        raise AssertionError(f"{self!r} does not let itself be closed")


class SimLoop(asyncio.BaseEventLoop):
    """Run callbacks one by one, each chosen by `pick(ready_count)`, and jump to the next timer when none is ready."""

    # Attributes of BaseEventLoop that its published types leave out.
    _stopping: bool
    _closed: bool

    def __init__(self, pick: Callable[[int], int] | None = None, steps_max: int = STEPS_MAX) -> None:
        self._serial = 0
        super().__init__()
        self.set_debug(False)
        self.now_ns = 0
        self.steps = 0
        self.steps_max = steps_max
        self.after_step: Callable[[Process], None] | None = None
        self.unhandled: list[dict[str, Any]] = []
        self._pick = pick
        self._pool: list[tuple[Process | None, asyncio.Handle]] = []
        self._timers: list[tuple[int, int, Process | None, asyncio.TimerHandle]] = []
        self._timers_cancelled = 0
        self.outside_context = Context()
        self._processes: list[Process] = []
        self._world = Process("world", 0, self)
        self.set_exception_handler(self._keep_unhandled)

    def _keep_unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ProcessDead):  # a callback stopped where its process died
            self.unhandled.append(context)

    def next_serial(self) -> int:
        """Return the next number for a task, future or timer of this loop."""
        self._serial += 1
        return self._serial

    @property
    def now_us(self) -> int:
        """Virtual time in microseconds since the world began."""
        return self.now_ns // NS_PER_US

    def time(self) -> float:
        return self.now_ns / NS_PER_S

    def create_future(self) -> SimFuture:
        return SimFuture(loop=self)

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None
    ) -> SimTask:  # the name is a string or nothing in all of asyncio
        self._check_open()
        task = SimTask(coro, loop=self, name=None if name is None else str(name), context=context)
        (task.context.get(PROCESS) or self._world).track(task)
        return task

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._check_open()
        if context is None:
            context = copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        process = context.get(PROCESS)
        if process is None or process.alive:
            self._pool.append((process, handle))
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._at(round(when * NS_PER_S), when, callback, args, context)

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._at(self.now_ns + round(delay * NS_PER_S), self.time() + delay, callback, args, context)

    def after_us(self, delay_us: int, callback: Callable[[*_Ts], object], *args: *_Ts) -> asyncio.TimerHandle:
        """Call back as the outside world, which no process's death silences."""
        when_ns = self.now_ns + delay_us * NS_PER_US
        return self._at(when_ns, when_ns / NS_PER_S, callback, args, self.outside_context)

    def outside(self, coro: Coroutine[Any, Any, Any], name: str) -> SimTask:
        """Run a coroutine as the outside world: servers, venues, the one who injects faults."""
        return self.create_task(coro, name=name, context=self.outside_context.copy())

    def _at(
        self, when_ns: int, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        self._check_open()
        if context is None:
            context = copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        process = context.get(PROCESS)
        if process is not None and not process.alive:
            return handle
        if when_ns <= self.now_ns:
            self._pool.append((process, handle))
        else:
            heapq.heappush(self._timers, (when_ns, self.next_serial(), process, handle))
            handle._scheduled = True
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        self._timers_cancelled += 1
        if self._timers_cancelled > max(CANCELLED_TIMERS_MIN, len(self._timers) // 2):
            self._timers = [timer for timer in self._timers if not timer[3].cancelled()]
            heapq.heapify(self._timers)
            self._timers_cancelled = 0

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("Event loop is closed")

    def _jump(self) -> bool:
        """Move time to the next live timer and make everything due then ready; say whether there was one."""
        due_ns: int | None = None
        while self._timers and (due_ns is None or self._timers[0][0] == due_ns):
            when_ns, _, process, handle = heapq.heappop(self._timers)
            if handle.cancelled():
                self._timers_cancelled = max(0, self._timers_cancelled - 1)
            elif process is None or process.alive:
                handle._scheduled = False
                due_ns = when_ns
                self._pool.append((process, handle))
        if due_ns is None:
            return False
        self.now_ns = due_ns
        return True

    def _run_once(self) -> None:
        """Run one callback: what BaseEventLoop's `run_forever` repeats until `stop`."""
        if not self._pool:
            if self._stopping:
                return
            if not self._jump():
                raise Deadlock(f"nothing can happen any more at {self.now_us} us")
        count = len(self._pool)
        process, handle = self._pool.pop(self._pick(count) if self._pick is not None and count > 1 else 0)
        if handle.cancelled():
            return
        if process is not None and process.paused:
            process.held.append(handle)
            return
        self.steps += 1
        if self.steps > self.steps_max:
            raise StepBound(f"more than {self.steps_max} steps; virtual time {self.now_us} us")
        handle._run()
        if process is not None and process.alive:
            process.steps += 1
            if self.after_step is not None:
                self.after_step(process)
            if process.doomed:
                self.kill(process)

    def spawn(self, name: str, incarnation: int, main: Callable[[Process], Coroutine[Any, Any, Any]]) -> Process:
        """Start a process: its own context, in which everything it begins will run."""
        process = Process(name, incarnation, self)
        self._processes.append(process)
        context = Context()
        context.run(PROCESS.set, process)
        process.context = context
        context.run(lambda: self.create_task(main(process), name=f"{process!r} main", context=context))
        return process

    def run_in(self, process: Process, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Call back soon within a process, as its client library would; nothing happens when it is dead."""
        self.call_soon(callback, *args, context=process.context.copy())

    def pause(self, process: Process, for_us: int) -> None:
        """Stop a process for a while, as a collection of garbage or a frozen machine does; the world goes on."""
        if process.alive and not process.paused:
            process.paused = True
            self.after_us(for_us, self._resume, process)

    def _resume(self, process: Process) -> None:
        process.paused = False
        held, process.held = process.held, []
        if process.alive:
            self._pool.extend((process, handle) for handle in held)

    def kill(self, process: Process) -> None:
        """Stop a process as `kill -9` does. Its coroutines stay as they are until the loop closes."""
        if not process.alive:
            return
        process.alive = False
        self._pool = [entry for entry in self._pool if entry[0] is not process]
        process.held.clear()
        for told in process.on_death:
            told()
        process.on_death.clear()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Never:
        raise RuntimeError("the simulated world has no threads")

    def close(self) -> None:
        """End the world: nothing runs any more, every coroutine left is closed with its ports fenced."""
        if self._closed:
            return
        graves = [*self._processes, self._world]
        for process in graves:
            process.alive = False
        _set_running_loop(self)  # code in a `finally` may ask for the loop
        try:
            for process in graves:
                for task in process.tasks:
                    task.bury()
                process.tasks.clear()
        finally:
            _set_running_loop(None)
        self._pool.clear()
        self._timers.clear()
        super().close()
