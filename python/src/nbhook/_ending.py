"""The end of a forked kernel: as Python ends, but without taking down what nobody will miss. Loaded by ``_forkserver.py``.

Python's shutdown joins threads, runs exit functions, and then destroys every object there is. Only the last costs much (a third of
the CPU time of a small run: in a fork it copies all memory that is shared with the template), and it matters only for what has
something to say at its destruction: a file with unwritten text, an archive without its directory, a library with exit code of its
own. Where the notebook left nothing of that kind, the process ends without it; in doubt Python's own shutdown takes its course.
"""

import asyncio
import atexit
import gc
import inspect
import io
import os
import signal
import sys
import sysconfig
import threading

#: Packages with extension modules that are known to write nothing at the end of the process.
HARMLESS = {"PIL", "contourpy", "kiwisolver", "markupsafe", "matplotlib", "numpy", "pandas", "psutil", "tornado", "yaml", "zmq"}
#: Types whose instances do have something to do when destroyed, but nothing that lasts.
PASSING = {"_asyncio.Future", "_asyncio.Task", "_io.BytesIO", "_io.StringIO"}
#: Where the code of suspended generators and coroutines may come from without meaning anything.
PLUMBING = ("asyncio", "ipykernel", "IPython", "tornado", "zmq")


class Ending:
    """Made when the kernel is ready and nothing of the notebook has run yet."""

    def __init__(self):
        # Not all of their names: to touch them copies their memory.
        self._last_module = next(reversed(sys.modules))
        # What there is now belongs to the kernel. Left out of all garbage collections, it also stays shared with the template.
        gc.freeze()

    def hurry_if_nothing_is_lost(self, app):
        """Ends the process, unless there is something whose destruction may matter."""
        threading._shutdown()
        atexit._run_exitfuncs()  # leaves nothing for Python's own shutdown to run again
        # The sockets by which each thread hands its output on.
        ours = {id(socket) for socket in getattr(app.iopub_thread, "_event_pipes", {}).values()}
        try:
            lost = self._foreign_libraries() or any(_matters(thing) for thing in gc.get_objects() if id(thing) not in ours)
        except Exception:  # noqa: BLE001 - some object that does not even let itself be looked at
            return
        if not lost:
            sys.__stdout__.flush()
            sys.__stderr__.flush()
            os._exit(0)

    def _foreign_libraries(self):
        """Whether the notebook loaded machine code with, for all we know, exit functions of its own."""
        own = sysconfig.get_config_var("DESTSHARED")
        for name in reversed(sys.modules):
            if name == self._last_module:
                break
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.endswith(".so") and os.path.dirname(file) != own and name.partition(".")[0] not in HARMLESS:
                return True
        return False


async def terminate_children():
    """Gives the children of a kernel that is to end half a second, without psutil.

    ipykernel looks through all processes even where there are no children, and waits for up to 14 s for those that it has terminated
    but that nobody reaps. The server kills what is left of the process group.
    """
    for delay in (0.01, 0.03, 0.1, 0.3):
        children = _children()
        if not children:
            return
        for child in children:
            try:
                os.kill(child, signal.SIGTERM)
            except OSError:
                pass
        await asyncio.sleep(delay)


def terminate_children_briefly(kernel):
    """In place of ipykernel's own way."""
    if hasattr(kernel, "_progressively_terminate_all_children"):
        kernel._progressively_terminate_all_children = terminate_children


def _children():
    """The other living processes of this process group."""
    tasks = (f"/proc/self/task/{task}/children" for task in os.listdir("/proc/self/task"))
    if all(os.path.exists(task) and not _read(task) for task in tasks):
        return []
    processes = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        state, _, group = ([*_read(f"/proc/{name}/stat").rpartition(")")[2].split(), "", "", ""])[:3]
        if group == str(os.getpgrp()) and state != "Z" and int(name) != os.getpid():
            processes.append(int(name))
    return processes


def _read(file):
    try:
        with open(file) as opened:
            return opened.read()
    except OSError:
        return ""


def _matters(thing):
    kind = type(thing)
    if isinstance(thing, io.IOBase):
        return not (f"{kind.__module__}.{kind.__qualname__}" in PASSING or thing.closed or not thing.writable())
    if kind.__module__ == "ctypes" and kind.__qualname__ in ("CDLL", "PyDLL"):
        return True
    if not hasattr(kind, "__del__") or f"{kind.__module__}.{kind.__qualname__}" in PASSING:
        return False
    code = getattr(thing, "gi_code", None) or getattr(thing, "cr_code", None) or getattr(thing, "ag_code", None)
    if inspect.iscode(code):
        frame = getattr(thing, "gi_frame", None) or getattr(thing, "cr_frame", None) or getattr(thing, "ag_frame", None)
        return frame is not None and not any(f"{os.sep}{name}{os.sep}" in code.co_filename for name in PLUMBING)
    return True
