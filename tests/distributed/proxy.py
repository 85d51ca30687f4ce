"""A network that can be cut: a TCP proxy whose connections are reset and refused, or go silent with every byte kept."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes on between its own `port` and `target` until it is told otherwise."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.flowing = threading.Event()
        self.flowing.set()
        self.whole = True
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                if not self.whole:
                    raise ConnectionRefusedError
                far = socket.create_connection(self.target, timeout=5)
            except OSError:
                reset(near)
                continue
            far.settimeout(None)
            self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self.whole = False
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                reset(end)

    def hush(self) -> None:
        """Keep every byte from now on; nobody is told that the other side cannot be reached."""
        self.flowing.clear()

    def heal(self) -> None:
        """Pass everything on again, and first what was kept."""
        self.whole = True
        self.flowing.set()

    def close(self) -> None:
        self.listener.close()
        self.cut()
        self.flowing.set()


def reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # Wakes the thread that reads from it; without this it would keep the connection open.
        end.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        end.close()
