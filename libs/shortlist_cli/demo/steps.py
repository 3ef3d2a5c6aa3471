"""The steps of the demo, in order. Every step is a command that a person could type."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from shortlist_bundle.store import BundleStore
from shortlist_cli.bench.server import wait_ready
from shortlist_cli.demo.questions import NothingChanged, ask_known_user, ask_new_user, known_user
from shortlist_domain.errors import NotReady

DATASET = "ml-100k"


class DemoFailed(Exception):
    """A step did not do what it should."""


class Demo:
    """One run of the demo."""

    def __init__(self, var: Path, port: int, training: Sequence[str], console: Console) -> None:
        self._var = var
        self._port = port or _free_port()
        self._training = training
        self._console = console
        self._data = var / "data" / DATASET
        self._store = var / "bundles"

    def run(self, *, once: bool) -> None:
        """Run every step; serve on afterwards unless ``once``.

        Raises:
            DemoFailed: A step did not do what it should.
        """
        started = time.monotonic()
        if not self._console.is_terminal:
            # Without a terminal to ask, tables would be folded to 80 columns; the commands below inherit this.
            os.environ.setdefault("COLUMNS", "150")
        if not (self._data / "dataset.json").is_file():
            self._command("data", "get", DATASET, "--out", str(self._data))
        if self._is_unpublished():
            changes = [part for change in self._training for part in ("--set", change)]
            run_folder = self._var / "runs" / DATASET
            self._command("train", str(self._data), "--out", str(run_folder), "--store", str(self._store), *changes)
        self._command("load", str(self._data), "--valkey", str(self._var / "valkey"))
        with self._serving() as server:
            address = f"127.0.0.1:{self._port}"
            try:
                wait_ready(address, server)
                user_id = known_user(self._data)
                ask_known_user(self._console, address, user_id, self._data)
                ask_new_user(self._console, address, self._data)
            except (NotReady, NothingChanged) as error:
                raise DemoFailed(str(error)) from error
            self._console.print(f"\nFrom the first command to here: {time.monotonic() - started:.0f} s")
            self._print_calls(address, user_id)
            if not once:
                self._console.print("\nServing until Ctrl-C.")
                server.wait()

    def _is_unpublished(self) -> bool:
        store = BundleStore(self._store)
        release = store.current()
        return release is None or store.open(release).manifest.data_window.dataset != DATASET

    def _command(self, *arguments: str) -> None:
        self._console.print(f"\n[bold]$ shortlist {shlex.join(arguments)}[/]", highlight=False)
        done = subprocess.run([sys.executable, "-m", "shortlist_cli.main", *arguments], check=False)  # noqa: S603
        if done.returncode:
            raise DemoFailed(f"`shortlist {shlex.join(arguments)}` ended with status {done.returncode}")

    @contextlib.contextmanager
    def _serving(self) -> Iterator[subprocess.Popen[bytes]]:
        arguments = ["serve", "--var", str(self._var), "--port", str(self._port)]
        self._console.print(f"\n[bold]$ shortlist {shlex.join(arguments)} &[/]", highlight=False)
        command = [sys.executable, "-m", "shortlist_cli.main", *arguments, "--log-level", "WARNING"]
        server = subprocess.Popen(command)  # noqa: S603 - ourselves
        # Ctrl-C reaches the server too; it drains, and this process waits for it.
        previous = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            signal.signal(signal.SIGTERM, lambda *_: server.terminate())
            yield server
        finally:
            if server.poll() is None:
                server.terminate()
            server.wait(30)
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _print_calls(self, address: str, user_id: str) -> None:
        method = "shortlist.gateway.v1.RecommendationService/Recommend"
        body = f'{{"actor":{{"user_id":"{user_id}"}},"slate_size":5,"item_fields":["title"]}}'
        python = (
            f'from shortlist_client import Client; print(Client("{address}").recommend("{user_id}", slate_size=5,'
            ' item_fields=["title"]))'
        )
        calls = (
            ("grpcurl", f"grpcurl -plaintext -d '{body}' {address} {method}"),
            ("the Python client", f"{sys.executable} -c '{python}'"),
            ("ghz", f"ghz --insecure --call {method.replace('/', '.')} -d '{body}' --rps 50 -z 10s {address}"),
        )
        for name, call in calls:
            self._console.print(f"\nWith {name}:", highlight=False)
            # Printed raw, so that a long line is not broken and can be pasted.
            self._console.print(call, highlight=False, markup=False, soft_wrap=True)


def _ignore(*_: object) -> None:
    """Leave the ending to the server's own end."""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
