"""A TCP door to a server that listens on a unix socket only; to the server each guest is local."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from orchestration.warehouse import Warehouse


@contextmanager
def tcp_door(warehouse: Warehouse, host: str = "127.0.0.1") -> Iterator[Warehouse]:
    """The same warehouse at `host` and a free port, for as long as the block runs."""
    behind = f"{warehouse.host}/.s.PGSQL.{warehouse.port}"

    class Guest(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(behind)
                back = threading.Thread(target=_pump, args=(server, self.request), daemon=True)
                back.start()
                _pump(self.request, server)
                back.join()

    class Door(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Door((host, 0), Guest) as door:
        threading.Thread(target=door.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield replace(warehouse, host=host, port=door.server_address[1])
        finally:
            door.shutdown()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one side ends, and tell the other."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
