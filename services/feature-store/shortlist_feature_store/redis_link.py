"""Connections to Redis: bounded, one deadline for each exchange, a breaker in front. The only import of redis.

redis-py's pool takes a lock and its own timeouts for each command; here an exchange takes a connection, writes all of
its commands at once, reads all replies, and gives the connection back only when every reply has been read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, Overloaded, UpstreamFailed
from shortlist_feature_store.breaker import Breaker
from shortlist_feature_store.store import UPSTREAM
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log

Argument = str | bytes | int | float
Command = tuple[Argument, ...]
Reply = Any
"""What a server may answer: bytes, int, None, or a list of replies. The caller knows which, by the command."""

PROBE_INTERVAL_S = 1.0
"""Longest and shortest wait between probes of a dead server: it is whole again within a second, and never stormed."""

_PROBE_TIMEOUT_S = 0.9
_CONNECT_TIMEOUT_S = 1.0
_COUNTS_AS_FAILURE_S = 0.02
"""A timeout speaks against the server only where it had this long to answer; less speaks against the caller."""


class RedisLink:
    """One process' way to one server."""

    def __init__(self, url: str, max_connections: int = 8, max_waiting: int = 1_024, failures_to_open: int = 3) -> None:
        """Connects on first use.

        Args:
            url: ``redis://``, ``rediss://`` or ``unix://``, with user, password and ``?db=`` where needed.
            max_connections: Exchanges on the way at once, watchers not counted.
            max_waiting: Callers that may wait for a connection; one more is :class:`Overloaded`.
            failures_to_open: Failures in a row after which calls are refused without trying.

        Raises:
            ValueError: The URL is none.
        """
        arguments: dict[str, Any] = {**parse_url(url)}
        self._connection_class = arguments.pop("connection_class", Connection)
        arguments |= {"driver_info": None, "protocol": 2}
        arguments |= {"socket_timeout": None, "socket_connect_timeout": _CONNECT_TIMEOUT_S}
        self._arguments = arguments
        self._slots = asyncio.Semaphore(max_connections)
        self._max_waiting = max_waiting
        self._waiting = 0
        self._idle: list[AbstractConnection] = []
        self.breaker = Breaker(failures_to_open, time.monotonic)
        self._prober: asyncio.Task[None] | None = None
        self._is_closed = False
        self._log = get_log("feature-store")

    async def exchange(
        self, commands: Sequence[Command], deadline: Deadline, work: str, *, is_repeatable: bool = True
    ) -> list[Reply]:
        """Send ``commands`` in one write and return their replies; an error reply raises once all are read.

        Args:
            commands: What to send.
            deadline: When the replies are due.
            work: What it is for, in words.
            is_repeatable: Whether it may be sent again where a connection that lay idle breaks. False for what must
                not happen twice: the server may have done it before the connection broke.

        Raises:
            BudgetExceeded: ``deadline`` passed.
            Overloaded: Too many callers wait for a connection.
            UpstreamFailed: The server is away, or refused a command.
        """
        async with self.session(deadline, work) as session:
            return await session.exchange(commands, is_repeatable=is_repeatable)

    @contextlib.asynccontextmanager
    async def session(self, deadline: Deadline, work: str) -> AsyncIterator[Session]:
        """Lend a connection for several exchanges in a row (WATCH … EXEC), all under ``deadline``.

        Raises as :meth:`exchange`. After any failure, or a cancel, the connection is thrown away.
        """
        self._refuse_if_open()
        deadline.check(work)
        given_s = deadline.remaining_s()
        session = None
        try:
            async with asyncio.timeout(given_s), self._slot():
                session = Session(self._idle.pop() if self._idle else None, self._new_connection)
                yield session
        except TimeoutError as error:
            if session is not None and given_s >= _COUNTS_AS_FAILURE_S:
                self._failed(f"no answer within {given_s * 1000:.0f} ms")
            raise BudgetExceeded(f"{UPSTREAM} did not answer in time for {work}") from error
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self._failed(f"{type(error).__name__}: {error}")
            raise UpstreamFailed(UPSTREAM, str(error)) from error
        except RedisError as error:
            # The server is there and said no, or what it said was no protocol.
            raise UpstreamFailed(UPSTREAM, str(error)) from error
        else:
            self._succeeded()
        finally:
            if session is not None:
                await self._take_back(session)

    @contextlib.asynccontextmanager
    async def own_connection(self) -> AsyncIterator[Session]:
        """Lend a connection outside of the bound, for a reader that blocks. The caller sets its timeouts.

        Raises:
            UpstreamFailed: The server is away, or refused a command, or a timeout of the caller passed.
        """
        self._refuse_if_open()
        session = Session(None, self._new_connection)
        try:
            yield session
        except TimeoutError as error:
            raise UpstreamFailed(UPSTREAM, "no answer to a blocking read") from error
        except (RedisError, OSError) as error:
            raise UpstreamFailed(UPSTREAM, str(error)) from error
        finally:
            await session.aclose()

    async def aclose(self) -> None:
        """Close what is idle and stop probing; connections on loan close when they come back."""
        self._is_closed = True
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)
        await self._close_idle()

    async def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    def _new_connection(self) -> AbstractConnection:
        connection: AbstractConnection = self._connection_class(**self._arguments)
        return connection

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= self._max_waiting:
            raise Overloaded("redis connections", 0.1)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            # What was let through before the breaker opened does not try again what is known to fail.
            self._refuse_if_open()
            yield
        finally:
            self._slots.release()

    async def _take_back(self, session: Session) -> None:
        if session.connection is None:
            return
        if session.is_clean and not self._is_closed and not self.breaker.is_open:
            self._idle.append(session.connection)
        else:
            await session.aclose()

    def _refuse_if_open(self) -> None:
        if self._is_closed:
            raise UpstreamFailed(UPSTREAM, "the store is closed")
        if self.breaker.is_open:
            raise UpstreamFailed(UPSTREAM, f"not tried, it failed before: {self.breaker.last_reason}")

    def _succeeded(self) -> None:
        if self.breaker.is_open:
            away_s = round(self.breaker.clock() - self.breaker.opened_at_s, 3)
            self._log.info(LogEvent.STORE_BACK, away_s=away_s)
        self.breaker.succeeded()

    def _failed(self, reason: str) -> None:
        was_open = self.breaker.is_open
        self.breaker.failed(reason)
        if self.breaker.is_open and not was_open:
            self._log.error(LogEvent.STORE_LOST, reason=reason)
        if self.breaker.is_open and self._prober is None and not self._is_closed:
            self._prober = asyncio.get_running_loop().create_task(self._probe(), name="redis-probe")

    async def _probe(self) -> None:
        """Ask a dead server for a sign of life, once a second, until it gives one."""
        try:
            await self._close_idle()
            while self.breaker.is_open:
                await asyncio.sleep(PROBE_INTERVAL_S)
                session = Session(None, self._new_connection)
                try:
                    async with asyncio.timeout(_PROBE_TIMEOUT_S):
                        await session.exchange([("PING",)])
                    self._succeeded()
                except (RedisError, OSError, TimeoutError) as error:
                    self.breaker.failed(f"{type(error).__name__}: {error}")
                finally:
                    await session.aclose()
        finally:
            self._prober = None


class Session:
    """A connection on loan. Clean means that every reply to what was sent has been read and no WATCH is left."""

    def __init__(self, connection: AbstractConnection | None, connect: Any) -> None:
        self.connection = connection
        self._connect = connect
        self._may_be_stale = connection is not None
        self._is_read = True
        self._is_watching = False

    @property
    def is_clean(self) -> bool:
        """Whether somebody else may use the connection next."""
        return self._is_read and not self._is_watching

    async def exchange(self, commands: Sequence[Command], *, is_repeatable: bool = True) -> list[Reply]:
        """Send ``commands`` in one write and return their replies.

        Raises:
            redis.exceptions.RedisError: The connection broke, or a command was refused.
        """
        packed = b"".join([_pack(command) for command in commands])
        if self._may_be_stale and self.connection is not None and await self.connection.can_read():
            # Nothing was asked, so what there is to read is the end: its server closed it while it lay idle.
            await self.aclose()
            self._may_be_stale = False
        while True:
            if self.connection is None:
                self.connection = self._connect()
            self._is_read = False
            try:
                if not self.connection.is_connected:
                    await self.connection.connect()
                await self.connection.send_packed_command(packed, check_health=False)
                replies, refusal = await self._replies(self.connection, len(commands))
                break
            except (RedisConnectionError, OSError):
                if not (self._may_be_stale and is_repeatable):
                    raise
                # It lay idle and its server has gone since. A new one decides.
                await self.aclose()
                self._may_be_stale = False
        self._may_be_stale = False
        self._is_read = True
        for command in commands:
            if command[0] in ("WATCH", "EXEC", "UNWATCH"):
                self._is_watching = command[0] == "WATCH"
        if refusal is not None:
            raise refusal
        return replies

    async def commit(self, commands: Sequence[Command]) -> list[Reply] | None:
        """Run ``commands`` as one transaction; ``None`` where a watched key has changed meanwhile, and nothing was."""
        replies: list[Reply] | None = (await self.exchange([("MULTI",), *commands, ("EXEC",)]))[-1]
        return replies

    async def aclose(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            await self.connection.disconnect(nowait=True)
            self.connection = None

    async def _replies(self, connection: AbstractConnection, n: int) -> tuple[list[Reply], ResponseError | None]:
        replies: list[Reply] = []
        refusal: ResponseError | None = None
        for _ in range(n):
            try:
                reply = await connection.read_response(disconnect_on_error=False)
            except ResponseError as error:
                refusal = refusal or error
                continue
            if isinstance(reply, list):
                refusal = refusal or next((part for part in reply if isinstance(part, ResponseError)), None)
            replies.append(reply)
        return replies, refusal


def _pack(command: Command) -> bytes:
    # The stubs of hiredis allow tuples of one element only.
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
