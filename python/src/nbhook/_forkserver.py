"""Forks the IPython kernels of runs. The server runs this file as a script; nothing imports it.

Usage: ``python _forkserver.py [DIRECTORY ...] [-- MODULE ...]`` (what to put at the end of ``sys.path``, and what to import in
advance) with a Unix stream socket as standard input, the *channel*. The process that runs
this script is the *template*: it imports and prepares all that a kernel needs, stays single-threaded, without event loop or
ZeroMQ context, and never runs anyone's code. Lines on the channel, from the server:

- ``F`` with files attached (the kernel's own socket, its standard output and error, and if kernels are ``direct`` the socket on which
  it converses, see ``_output.py``): fork a kernel. The answer is
  ``F PID``, or ``X MESSAGE`` when that is impossible.
- ``R PID``: the server knows of the end of this kernel, which may be reaped.

and to the server, beside the answers: ``T REPORT`` once, when the template is ready (JSON: ``stamps``, a list of files and directories of
the environment with the times of their last change in nanoseconds; ``left_out``, the modules that were not imported, each with the
reason; ``memory``, in bytes; ``direct``, the kernels' ``language_info``, if they need no ZeroMQ), and ``E PID STATUS`` when a kernel has ended
(STATUS is the exit status, negative for a signal). Until ``R`` the ended kernel stays a zombie, so that its number belongs to no
stranger while the server kills what is left of its group.

On its own socket a kernel gets one line with the path of its connection file (unless it is ``direct``), answers ``S`` when it is ready
for requests, and then waits, ready but for what it cannot know: one more line, the job (JSON: ``cwd``, ``env``, ``limits``), which it answers with ``J``. From
then on it is a kernel like one that ``_kernel.py`` started.

A kernel dies with the template (parent-death signal), the template with the server.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys


def main():
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    directories, modules = words[:end], words[end + 1 :]
    template = _beside("_template").Template(_beside, directories, modules)
    template.prepare()
    template.become_kernel(*Forks(channel, template).serve())


def _beside(name):
    """The module in a file beside this one, kept out of ``sys.modules``."""
    from importlib.util import module_from_spec, spec_from_file_location

    here = os.path.dirname(os.path.abspath(__file__))
    spec = spec_from_file_location("_nbhook" + name, os.path.join(here, name + ".py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Forks:
    """The conversation with the server, and the children."""

    def __init__(self, channel, template):
        self._channel = channel
        self._template = template
        self._running = set()
        self._ended = set()

    def serve(self):
        """Forks as it is asked. In a child gives the child's socket; in the template never comes back."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._say(f"T {json.dumps(self._template.report())}")
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(woken, select.POLLIN)
        rest = b""
        files = []
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == woken:
                    _drain(woken)
                    self._tell_of_the_ended()
                    continue
                received, attached, _, _ = socket.recv_fds(self._channel, 4096, 64)
                if not received:
                    os._exit(0)  # the server has gone; the children die with this process
                files += attached
                *lines, rest = (rest + received).split(b"\n")
                for line in lines:
                    kernel = self._obey(line.split(), files)
                    if kernel is not None:
                        return kernel

    def _obey(self, words, files):
        if words[0] == b"R":
            pid = int(words[1])
            os.waitpid(pid, 0)
            self._ended.discard(pid)
            return None
        number = 4 if self._template.direct else 3
        mine, files[:] = files[:number], files[number:]
        return self._fork(mine)

    def _fork(self, files):
        reason = self._template.reason_not_to_fork()
        if reason:
            self._say(f"X {reason}")
        else:
            parent = os.getpid()
            try:
                pid = os.fork()
            except OSError as error:
                self._say(f"X {error}")
            else:
                if pid == 0:
                    control, stdout, stderr, *wire = files
                    _become_a_process_of_its_own(parent, stdout, stderr, [control, *wire])
                    return [control, *wire]
                self._running.add(pid)
                self._say(f"F {pid}")
        for file in files:
            os.close(file)
        return None

    def _tell_of_the_ended(self):
        for pid in list(self._running):
            end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if end is not None:
                self._running.discard(pid)
                self._ended.add(pid)
                status = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
                self._say(f"E {pid} {status}")

    def _say(self, line):
        try:
            self._channel.sendall(line.encode() + b"\n")
        except OSError:
            os._exit(0)


def _drain(descriptor):
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        pass


def _become_a_process_of_its_own(parent, stdout, stderr, kept):
    """What the system does when it starts a program: own session, own files, default signals, death with the parent."""
    os.setsid()
    _die_with(parent)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor in kept:
            os.set_inheritable(descriptor, False)
        elif descriptor > 2:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that listed them


def _die_with(parent):
    PR_SET_PDEATHSIG = 1
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        os._exit(1)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main()
