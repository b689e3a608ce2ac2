"""Runs a command at a terminal of its own, and types an answer as soon as the terminal does not show what is typed.

Prints as JSON what the terminal showed, how the command ended, and whether the terminal shows what is typed afterwards.
"""

import json
import os
import pty
import select
import subprocess
import sys
import termios
import time

answer, command = sys.argv[1], sys.argv[2:]
ours, theirs = pty.openpty()
process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)


def echoes():
    return bool(termios.tcgetattr(theirs)[3] & termios.ECHO)


shown, typed, end = b"", False, time.monotonic() + 30
while time.monotonic() < end:
    ended = process.poll() is not None  # before the last look
    if select.select([ours], [], [], 0.01)[0]:
        shown += os.read(ours, 4096)
    elif ended:
        break
    if not typed and shown and not echoes():
        os.write(ours, answer.encode() + b"\n")
        typed = True
process.kill()
print(json.dumps({"shown": shown.decode(), "typed": typed, "code": process.wait(), "echoes": echoes()}))
