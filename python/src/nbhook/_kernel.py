"""Starts the IPython kernel of a run. The server runs this file as a script; nothing imports it.

Usage: ``python _kernel.py CONNECTION_FILE [DIRECTORY ...] [-- OPTION ...]``. The directories are put at the end of
``sys.path``, so what is installed in the environment wins; the options are ipykernel's own. Any Python 3.9 or newer with
ipykernel 6 or 7 will do.

A notebook sees what it sees under ``python -m ipykernel_launcher``, with these differences:

- Nothing it publishes is dropped. By default a ZeroMQ publisher throws messages away once 1000 of them wait for a slow
  reader; here it waits. Only the thread that sends waits, never the one that runs cells, and the server always reads.
- Text with half a surrogate pair is sent, where Jupyter's own serialisation fails and loses the message; when it is the
  message that ends a cell, the cell would never end.
- No debugger and no input history file: both cost start-up time and serve only interactive work.
- ``sys.argv`` holds the program only, so that a cell with ``argparse`` does not choke on the kernel's own arguments.
- The interpreter's directory is on ``PATH``, as in an activated environment.
- At its end Python shuts down as always (threads joined, exit functions run, files flushed), but the kernel's sockets are
  left to the system: taking them down in order costs more than all the rest, and nobody listens any more. Child processes
  are left to the server, which kills them when the kernel has ended.
"""

# ipykernel need not be there where this is checked, and has few types where it is.
# mypy: disable-error-code="import-untyped, import-not-found", disallow-untyped-calls=False, disallow-subclassing-any=False

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import sys
import types
from typing import Any, Callable


def main() -> None:
    connection_file, directories, options = _arguments(sys.argv[1:])
    leave_no_trace_of_this_script()
    switch_the_debugger_off()
    app_class = kernel_app_class()
    sys.path.extend(directory for directory in directories if directory not in sys.path)
    # With a parent handle of 1 the kernel neither watches its parent (the system does that) nor prints how to connect.
    app = app_class.instance(connection_file=connection_file, parent_handle=1)
    app.config.HistoryManager.enabled = False
    app.initialize(options)
    app.kernel._progressively_terminate_all_children = _leave_children_alone
    app.start()
    leave_the_end_to_python(app)


def kernel_app_class() -> Any:
    """The application that runs the kernel, with an output socket that waits instead of dropping."""
    import ipykernel_launcher
    import zmq
    from ipykernel.kernelapp import IPKernelApp

    class KernelApp(IPKernelApp):
        name = "ipython-kernel"

        def _bind_socket(self, s: Any, port: int) -> Any:
            if s.getsockopt(zmq.TYPE) in (zmq.PUB, zmq.XPUB):  # PUB in ipykernel 6, XPUB in 7
                s.setsockopt(zmq.XPUB_NODROP, 1)
            return super()._bind_socket(s, port)

        def init_sockets(self) -> None:
            self.session.pack = packer(self.session.pack)
            super().init_sockets()

        def init_heartbeat(self) -> None:
            """None: the server watches the process itself, and the thread would cost each kernel a millisecond."""

        def init_kernel(self) -> None:
            super().init_kernel()
            # ipykernel pauses after every cell lest output be late; our side waits for the kernel to say that it is idle.
            self.kernel._execute_sleep = 0

        def close(self) -> None:
            """Ends the kernel, as the last of all exit functions."""
            contexts = (item for item in gc.get_objects() if isinstance(item, zmq.Context))
            # Streams that are closed wait for their threads, and contexts that are collected for their sockets to be closed.
            _never_collect(sys.stdout, sys.stderr, *contexts)
            # Python flushes sys.stdout when no thread runs any more, and the kernel's own waits for one.
            self.reset_io()

    sys.argv = [str(ipykernel_launcher.__file__)]
    return KernelApp


def leave_the_end_to_python(app: Any) -> None:
    """Sees to it that the interpreter's shutdown does all but take down the sockets."""
    sys.stdout.flush()
    sys.stderr.flush()
    atexit.unregister(app.iopub_thread.stop)


async def _leave_children_alone() -> None:
    """In place of ipykernel's own way, which waits up to 30 s for children that have ended but that nobody waited for."""


def _arguments(arguments: list[str]) -> tuple[str, list[str], list[str]]:
    connection_file, *rest = arguments
    end = rest.index("--") if "--" in rest else len(rest)
    return connection_file, rest[:end], rest[end + 1 :]


def leave_no_trace_of_this_script() -> None:
    """Undoes what running a script by its path does: its directory must not shadow a module the notebook imports."""
    here = os.path.dirname(os.path.realpath(__file__))
    if sys.path and os.path.realpath(sys.path[0]) == here:
        del sys.path[0]
    put_the_interpreter_on_the_path()


def put_the_interpreter_on_the_path() -> None:
    programs = os.path.dirname(sys.executable)
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if programs and programs not in path:
        os.environ["PATH"] = os.pathsep.join([programs, *path])


def _never_collect(*items: object) -> None:
    """Keeps objects to the end of the process."""
    for item in items:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(item))


def packer(pack: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Wraps the serialisation of messages so that any text can be sent."""
    from jupyter_client.jsonutil import json_clean, json_default

    def pack_any_text(message: Any) -> bytes:
        try:
            return pack(message)
        except UnicodeEncodeError:
            return json.dumps(json_clean(message), default=json_default, allow_nan=False).encode("ascii")

    return pack_any_text


def switch_the_debugger_off() -> None:
    """Spares the import of debugpy, half of a kernel's start-up. The notebook itself may still import debugpy."""
    debugger: Any = types.ModuleType("ipykernel.debugger")
    debugger._is_debugpy_available = False
    debugger.Debugger = None  # ipykernel 6 imports the name
    sys.modules["ipykernel.debugger"] = debugger


if __name__ == "__main__":
    main()
