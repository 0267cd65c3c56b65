"""Import what our processes import, then fork a process for each connection; ends with whoever started it."""

from __future__ import annotations

import json
import os
import runpy
import selectors
import signal
import socket
import sys
from typing import Any

import minigpt_tui.engine.export.vocabulary
import minigpt_tui.engine.generation.responder
import minigpt_tui.engine.training.setup  # noqa: F401


class Server:
    """Forks for each client, tells the child what the client was told, and the client how the child ended."""

    def __init__(self, address: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, socket.socket] = {}  # by the child that each stands for
        self._wake_up, awake = socket.socketpair()
        awake.setblocking(False)
        self._awake = awake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(awake.fileno())
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(address)
        self._listener.listen(64)
        for source in (self._listener, self._wake_up, sys.stdin.fileno()):
            self._selector.register(source, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any]:
        """Serve until standard input ends; in a forked process, return its job."""
        print("ready", flush=True)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    if job := self._accept():
                        return job
                elif key.fileobj is self._wake_up:
                    self._wake_up.recv(4096)
                    self._report_ended()
                elif key.fileobj == sys.stdin.fileno():
                    os._exit(0)
                elif key.data in self._clients:
                    self._pass_on(key.data)

    def _accept(self) -> dict[str, Any] | None:
        client, _ = self._listener.accept()
        size, descriptors, _, _ = socket.recv_fds(client, 8, 3)
        length, job = int.from_bytes(size, "little"), b""
        while len(job) < length:
            job += client.recv(length - len(job))
        child = os.fork()
        if not child:
            self._become(client, descriptors)
            return json.loads(job)
        for descriptor in descriptors:
            os.close(descriptor)
        self._clients[child] = client
        self._selector.register(client, selectors.EVENT_READ, child)
        return None

    def _become(self, client: socket.socket, descriptors: list[int]) -> None:
        """Take the client's streams, and leave what belongs to the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        self._selector.close()
        for other in (self._listener, self._wake_up, self._awake, client, *self._clients.values()):
            other.close()
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)

    def _pass_on(self, child: int) -> None:
        """Send the child the signals of its client; a client that was killed takes its child along."""
        client = self._clients[child]
        numbers = client.recv(16)
        for number in numbers or [signal.SIGKILL]:
            os.kill(child, number)
        if not numbers:
            self._selector.unregister(client)

    def _report_ended(self) -> None:
        while self._clients:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            client = self._clients.pop(child)
            if client in self._selector.get_map():
                self._selector.unregister(client)
                client.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))
            client.close()


job = Server(sys.argv[1]).serve()
os.chdir(job["folder"])
os.environ.clear()
os.environ.update(job["environment"])
module, *arguments = job["words"]
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
