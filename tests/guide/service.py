"""docs/operations.md's installation as a service: its commands and the unit, in a mount namespace, so that this machine stays as it is.

    service.py --nbhook target/debug/nbhook

systemd itself is not started: `--now` is left out, and what the unit would start is started here, as its user, in its directory.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from blocks import blocks

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = REPOSITORY / "docs/ops/nbhook.service"
PATIENCE = 60.0

#: Folders that are changed become copies, or empty; what is below /root can be read by the service's user.
NAMESPACE = r"""
copied() { local copy=$(mktemp -d); mount -t tmpfs none "$copy"; cp -a "$1/." "$copy/"; mount --bind "$copy" "$1"; }
seen() {
    case $1 in /root/*) ;; *) return 0 ;; esac
    mount --bind "$1" "$HELD/$2"
}
shown() { case $1 in /root/*) mkdir -p "$1"; mount --bind "$HELD/$2" "$1" ;; esac; }
HELD=$(mktemp -d); mkdir "$HELD/base" "$HELD/venv" "$HELD/work"
copied /etc
mount -t tmpfs none /var/lib
mount -t tmpfs none /usr/local/bin
seen "$BASE" base; seen "$VENV" venv; seen "$REPOSITORY" work
mount -t tmpfs -o mode=755 none /root
shown "$BASE" base; shown "$VENV" venv; shown "$REPOSITORY" work
cd "$REPOSITORY"
export SYSTEMD_OFFLINE=1
started() {
    (
        cd "$DIRECTORY"
        umask "$UMASK"
        export HOME=$DIRECTORY
        exec setpriv --reuid "$USER_NAME" --regid "$GROUP_NAME" --clear-groups --no-new-privs $EXEC
    ) &
    SERVICE=$!
    echo "started $SERVICE"
}
stopped() { kill "$SERVICE"; wait "$SERVICE"; echo stopped; }
systemctl() {
    case $1 in
    restart) stopped; started ;;
    *) command systemctl $(printf '%s\n' "$@" | grep -vx -- --now); started ;;
    esac
}
ready() { until [ "$(grep -c '^nbhook serves' "$LOG")" = "$1" ]; do kill -0 "$SERVICE"; sleep 0.1; done; }
"""
VERIFY = """
systemd-analyze verify /etc/systemd/system/nbhook.service
test -L /etc/systemd/system/multi-user.target.wants/nbhook.service
ready 1
"""
WAIT = """
ready 2
echo upgraded
trap stopped TERM
while kill -0 "$SERVICE" 2>/dev/null; do wait || true; done
"""


def unit() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def commands(toml: Path, nbhook: Path) -> tuple[str, str]:
    """To install and to upgrade."""
    page = blocks(REPOSITORY / "docs/operations.md", "operations.md")
    install, upgrade = [block.text for block in page if block.told("tested by: ") == "guide/service.py"]
    assert " nbhook.toml " in install and " target/release/nbhook " in upgrade
    install = install.replace(" nbhook.toml ", f" {shlex.quote(str(toml))} ")
    return install, upgrade.replace(" target/release/nbhook ", f" {shlex.quote(str(nbhook))} ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nbhook", required=True)
    nbhook = Path(parser.parse_args().nbhook).resolve()
    needed = [program for program in ("unshare", "systemctl", "systemd-analyze", "useradd", "setpriv") if not shutil.which(program)]
    if os.geteuid() != 0 or needed or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        print(f"skipped: needs root, mount namespaces and {needed or 'systemd'}")
        return 0
    service = unit()
    with tempfile.TemporaryDirectory(prefix="nbhook-service-") as folder:
        os.chmod(folder, 0o755)
        toml, log = Path(folder, "nbhook.toml"), Path(folder, "log")
        toml.write_text('listen = "127.0.0.1:0"\n')
        environment = {
            "PATH": f"{nbhook.parent}:{os.environ['PATH']}",
            "REPOSITORY": str(REPOSITORY),
            "BASE": sys.base_prefix,
            "VENV": sys.prefix,
            "NBHOOK_KERNEL__PYTHON": sys.executable,
            "LOG": str(log),
            "EXEC": service["ExecStart"],
            "DIRECTORY": service["WorkingDirectory"],
            "USER_NAME": service["User"],
            "GROUP_NAME": service["Group"],
            "UMASK": service["UMask"],
        }
        install, upgrade = commands(toml, nbhook)
        script = f"{NAMESPACE}{install}{VERIFY}{upgrade}{WAIT}"
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-euc", script]
        with log.open("wb") as file:
            running = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return served(running, log, service)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def served(running: subprocess.Popen[bytes], log: Path, service: configparser.SectionProxy) -> int:
    deadline = time.monotonic() + PATIENCE
    while "\nupgraded\n" not in log.read_text():
        if running.poll() is not None or time.monotonic() > deadline:
            print(f"it does not start:\n{log.read_text()}")
            return 1
        time.sleep(0.05)
    url, token = re.findall(r"nbhook login (\S+) < '?([^'\n]+)", log.read_text())[-1]
    with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE) as answer:
        assert answer.status == 200
    server = Path("/proc", re.findall(r"^started (\d+)$", log.read_text(), re.MULTILINE)[-1])
    kept = server / "root" / token.lstrip("/")
    assert token.startswith(service["WorkingDirectory"]), token
    assert kept.stat().st_mode & 0o077 == 0 and kept.stat().st_uid != 0, oct(kept.stat().st_mode)
    assert f"\nUid:\t{kept.stat().st_uid}\t" in (server / "status").read_text(), "it runs as somebody else"
    running.send_signal(signal.SIGTERM)
    code = running.wait(float(service["TimeoutStopSec"]))
    assert log.read_text().count("\nstopped\n") == 2, log.read_text()
    return code


if __name__ == "__main__":
    sys.exit(main())
