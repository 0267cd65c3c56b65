"""Started in the place of python: let the server fork a process that does the same, stand for it, and end as it does.

Its first arguments are the server's socket, the interpreter that runs what is not for the server, and the environment
in which the server imported what it has.
"""

import json
import os
import signal
import socket
import sys

address, interpreter, imported_in, *arguments = sys.argv[1:]
environment = dict(os.environ)
as_imported = all(environment.get(name, "") == value for name, value in json.loads(imported_in).items())
module = arguments[arguments.index("-m") + 1] if "-m" in arguments else ""
if not (module.startswith("minigpt_tui.engine.") and as_imported):
    os.execv(interpreter, [interpreter, *arguments])

server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.connect(address)
words = arguments[arguments.index("-m") + 1 :]
job = json.dumps({"words": words, "environment": environment, "folder": os.getcwd()}).encode()
socket.send_fds(server, [len(job).to_bytes(8, "little")], [0, 1, 2])
server.sendall(job)


def forward(number: int, frame: object) -> None:
    server.sendall(bytes([number]))


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, forward)
for descriptor in (0, 1, 2):  # the process has them now; whoever reads must see their end when it closes them
    os.close(descriptor)
status = server.recv(8)
code = int.from_bytes(status, "little", signed=True) if status else -signal.SIGKILL
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -code)
os._exit(code)
