"""Tries a kernel out in a child of the template. Loaded by ``_template.py``."""

import asyncio
import fcntl
import os
import shutil
import socket
import sys
import tempfile
import traceback

CELLS = ["1 + 1", "print('hello')", "display({'text/plain': ''}, raw=True)", "await __import__('asyncio').sleep(0)", "1 / 0"]
#: What the server is to hear of them.
KINDS = {"status", "execute_input", "execute_result", "stream", "display_data", "error"}


def rehearse(app, output):
    """Lets a child be a kernel and run some cells, and gives the names of the modules that took; nothing if it failed. ``output`` is
    ``_output.py`` if the kernel talks over one socket."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(ours)
            app.make_kernel()
            child = os.fork()  # as a kernel is forked: what was made before a fork may not work behind it
            if child:
                os._exit(1 if os.waitpid(child, 0)[1] else 0)
            _play_kernel(app, output)
            with open(theirs, "w") as pipe:
                pipe.write("\n".join(sys.modules))
            status = 0
        finally:
            if status:
                traceback.print_exc(file=sys.__stderr__)
                sys.__stderr__.flush()
            os._exit(status)
    os.close(theirs)
    with open(ours) as pipe:
        names = pipe.read().split("\n")
    return names if os.waitpid(pid, 0)[1] == 0 else None


def _play_kernel(app, output):
    if output:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        app.awaken(ours)
        app.finish_initialization()
        app.io_loop.run_sync(lambda: _play_server(app.session, output.Wire(), theirs), timeout=PATIENCE)
        return
    folder = tempfile.mkdtemp(prefix="nbhook-rehearsal-")
    try:
        # As long as this is locked, the folder is in use; if we are killed, the next server removes it (kernel/connection.rs).
        in_use = open(os.path.join(folder, "c.json"), "w")
        fcntl.flock(in_use, fcntl.LOCK_EX)
        app.transport, app.ip = "ipc", os.path.join(folder, "k")
        app.awaken(os.path.join(folder, "kernel.json"))
        app.finish_initialization()
        app.kernel.start()
        for cell in CELLS:
            app.kernel.io_loop.run_sync(lambda cell=cell: app.kernel.do_execute(cell, False))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


#: Longest time of all cells, in seconds.
PATIENCE = 20


async def _play_server(session, wire, theirs):
    """Has the cells run, and looks whether their messages come."""
    wire.open(theirs, None)
    kinds = set()
    for cell in CELLS:
        request = session.msg("execute_request", {"code": cell, "silent": False, "store_history": True, "allow_stdin": False})
        wire.send(b"s", session.serialize(request))
        awaited = {"idle", "reply"}
        while awaited:
            received = wire.receive()
            if received is None:
                await asyncio.sleep(0.002)
                continue
            frames = session.feed_identities(received[1])[1]
            message = session.deserialize(frames)
            if message["parent_header"].get("msg_id") != request["msg_id"]:
                continue
            kinds.add(message["msg_type"])
            if received[0] == b"s":
                awaited.discard("reply")
                assert message["content"]["status"] == ("error" if cell == "1 / 0" else "ok"), message
            elif message["content"].get("execution_state") == "idle":
                awaited.discard("idle")
    assert KINDS <= kinds, kinds
