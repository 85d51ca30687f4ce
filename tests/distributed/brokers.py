"""The broker servers the hosts share: a queue of the test's own at RabbitMQ, a database of its own at Redis."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from kombu import Connection

REDIS = "redis://127.0.0.1:6379"
MARK = "countersign-tests"


@dataclass(frozen=True)
class Broker:
    """One server and, at Redis, one database there."""

    url: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or (6379 if parts.scheme == "redis" else 5672)

    def through(self, port: int) -> str:
        """The address of the same broker at a port of this computer."""
        parts = urlsplit(self.url)
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return parts._replace(netloc=f"{login}127.0.0.1:{port}").geturl()

    def empty(self, queue: str) -> None:
        """Lose every message; at Redis everything that Celery keeps."""
        if self.url.startswith("redis"):
            with redis.Redis.from_url(self.url) as server:
                server.flushdb()
            return
        with Connection(self.url) as server, server.channel() as channel:
            channel.queue_purge(queue)

    def remove(self, queue: str) -> None:
        if self.url.startswith("redis"):
            return self.empty(queue)
        with Connection(self.url) as server, server.channel() as channel:
            channel.queue_delete(queue)


def broker_of(kind: str) -> Broker:
    """The server of this kind; skips the test with the reason where there is none to be used."""
    if kind == "rabbitmq":
        if not settings.BROKER_URL.startswith("amqp"):
            pytest.skip("needs RabbitMQ: set BROKER_URL=amqp://…")
        return Broker(settings.BROKER_URL)
    base = settings.BROKER_URL.rpartition("/")[0] if settings.BROKER_URL.startswith("redis") else REDIS
    broker = Broker(base)
    try:
        socket.create_connection(broker.address, timeout=2).close()
    except OSError:
        pytest.skip(f"needs Redis: nothing answers at {base}")
    return Broker(f"{base}/{unused_database(base)}")


def unused_database(base: str) -> int:
    """An empty database of the Redis server, marked as taken; what others keep there is never touched."""
    for number in range(15, 0, -1):
        with redis.Redis.from_url(f"{base}/{number}") as server:
            if server.dbsize() == 0 and server.set(MARK, "taken", nx=True, ex=600):
                return number
    pytest.skip("needs Redis: none of its databases 1 to 15 is empty")
