"""Imports what notebooks will import, before they are forked: where that makes no difference to them. Loaded by ``_template.py``.

Each module is first imported in a child process, which looks at what that does. Whatever a fork would not take along (threads,
processes), or would share with others (sockets, devices), or the notebook would miss (what is printed), or depends on the kernel (the
running IPython), keeps the module out; and so does being no installed package, because then its file may change any time.
"""

import ctypes
import importlib
import locale
import os
import select
import signal
import site
import sys
import sysconfig
import tempfile
import time

#: Longest time of one import, in seconds.
SLOW = 10
#: Packages that look for IPython at their import, and are content to find it later.
PATIENT = {"matplotlib"}


def preload(names, directories):
    """Imports what may be imported and gives the rest, each with the reason. ``directories`` are the server's own."""
    places = _places(directories)
    left_out = []
    for name in names:
        reason = None if name in sys.modules else _try(name, places)
        if reason is None:
            try:
                importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - it did not do that in the child
                reason = f"raises {type(error).__name__}"
        if reason is not None:
            left_out.append([name, reason])
    _stop_threads_that_survive_no_fork()
    return left_out


def _places(directories):
    paths = sysconfig.get_paths()
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    found = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")] + site.getsitepackages() + user + directories
    return tuple({os.path.realpath(path) + os.sep for path in found})


def _try(name, places):
    """Why not to import a module, or nothing. Imports it in a child."""
    ours, theirs = os.pipe()
    with tempfile.TemporaryFile() as printed:
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # dies with the template
                os.close(ours)
                reason = _import_and_look(name, places, printed)
                os.write(theirs, b"\0" + (reason or "").encode())
            finally:
                os._exit(0)
        os.close(theirs)
        try:
            return _answer(ours)
        finally:
            os.close(ours)
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                os.kill(pid, signal.SIGKILL)  # not yet the leader of its group; still ours, as nobody has waited for it
            os.waitpid(pid, 0)


def _answer(pipe):
    """What the child found, or how it failed to find anything."""
    end = time.monotonic() + SLOW
    said = b""
    while True:
        readable, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        if not readable:
            return f"takes longer than {SLOW} s"
        received = os.read(pipe, 4096)
        said += received
        if not received:
            break
    if not said.startswith(b"\0"):
        return "ends the process"
    return said[1:].decode() or None


def _import_and_look(name, places, printed):
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    asked = _listen_for_questions_about_ipython()
    before, modules = _state(), set(sys.modules)
    files = _files()
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - the notebook will see it
        return f"raises {type(error).__name__}"
    sys.__stdout__.flush()
    sys.__stderr__.flush()
    for what, value in _state().items():
        if value != before[what]:
            return f"changes {what}"
    for file in _files() - files:
        return "opens a device" if file.startswith("/dev/") else "opens a connection" if file.startswith("socket:") else "leaves files open"
    if os.fstat(printed.fileno()).st_size:
        return "prints something"
    if asked:
        return "asks for the running IPython"
    if _has_children():
        return "starts processes"
    _stop_threads_that_survive_no_fork()
    if len(os.listdir("/proc/self/task")) != 1:
        return "starts threads"
    return _not_installed(set(sys.modules) - modules, places)


def _listen_for_questions_about_ipython():
    import IPython
    from IPython.core import getipython

    asked = []

    def get_ipython():
        caller = sys._getframe(1).f_globals.get("__name__") or ""
        if caller.partition(".")[0] not in PATIENT:
            asked.append(caller)

    IPython.get_ipython = getipython.get_ipython = get_ipython
    return asked


def _state():
    """What a process has only one of, by what to call it."""
    return {
        "the working directory": os.getcwd(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "signal handlers": [signal.getsignal(number) for number in signal.valid_signals()],
        "sys.stdout or another hook": [sys.stdout, sys.stderr, sys.stdin, sys.displayhook, sys.excepthook],
        "ZeroMQ's context": sys.modules["zmq"].Context._instance,
    }


def _files():
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if not target.startswith("/proc/"):
            found.add(target)
    return found


def _has_children():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _stop_threads_that_survive_no_fork():
    """OpenBLAS has threads from its import on, but ends them before a fork and starts them again when they are needed."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _not_installed(names, places):
    for name in sorted(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and not os.path.realpath(file).startswith(places):
            return f"imports {name}, which is not an installed package"
    return None
