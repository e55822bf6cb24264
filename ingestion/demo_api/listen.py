"""The server process: a bound socket, uvicorn on it, and an end when the parent is gone."""

import os
import select
import socket
import sys
from asyncio import BaseTransport
from collections.abc import Callable
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ingestion.demo_api.broken import DROP


class _HangingUp(H11Protocol):
    """uvicorn's own protocol, which also lets the application close the connection."""

    def connection_made(self, transport: BaseTransport) -> None:
        # ASGI has no word for hanging up without an answer.
        super().connection_made(transport)  # type: ignore[arg-type]
        self.app = _with_drop(self.app, transport.abort)  # type: ignore[attr-defined]


def _with_drop(app: Any, drop: Callable[[], None]) -> Any:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), DROP: drop}
        await app(scope, receive, send)

    return wrapped


def bind(host: str, port: int) -> socket.socket:
    """Bind and listen, so that the port is known and no request is refused from here on.

    Port 0 takes a free one. Raises OSError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family, backlog=128)
    # An answer is two writes, head and body: without this each small page waits 40 ms for an ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def address(bound: socket.socket) -> str:
    """Return the URL of a bound socket, without a slash at the end."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: FastAPI, bound: socket.socket, quiet: bool) -> None:
    """Answer requests until a signal ends it; a quiet server logs no requests."""
    level = "warning" if quiet else "info"
    config = uvicorn.Config(
        app,
        http=_HangingUp,
        ws="none",
        lifespan="off",
        log_level=level,
        timeout_keep_alive=60,  # a loader may think for a while between two pages
    )
    uvicorn.Server(config).run(sockets=[bound])


def end_with_parent() -> None:
    """End this process once its standard input closes, which no death of the parent can prevent."""
    parent = os.getppid()

    def watch() -> None:
        # A fork of the parent holds the pipe open too: so look whose child this is as well.
        while os.getppid() == parent:
            ready, _, _ = select.select([sys.stdin], [], [], 0.5)
            if ready and not os.read(sys.stdin.fileno(), 4096):
                break
        os._exit(0)

    Thread(target=watch, daemon=True).start()
