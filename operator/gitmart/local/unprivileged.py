"""
Run a program that refuses to be root, when we are root (a container, a build machine).

`python unprivileged.py namespace PROGRAM [ARGUMENT …]` becomes PROGRAM in a user namespace where root's
files belong to an ordinary user: PostgreSQL starts, and needs no account of its own and no wider
permissions on our folders. See user_namespaces(7).
`python unprivileged.py nobody PROGRAM [ARGUMENT …]` is for kernels that forbid namespaces: PROGRAM runs as
the user `nobody`, who must be able to reach the program and owns its folder.

A file of the standard library alone, run by its path: it starts in the time of a bare interpreter.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # <linux/sched.h>
NAMESPACE = "namespace"
NOBODY = "nobody"


def enter_user_namespace(user: int, group: int) -> None:
    """Appear as `user` and `group` while owning what root owns; raise OSError when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        raise OSError("this system has no user namespaces")
    if libc.unshare(CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} 0 1", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} 0 1", encoding="ascii")


def become(user: int, group: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def main(way: str, command: list[str]) -> None:
    """Give up root in the way asked for and become the command."""
    nobody = pwd.getpwnam(NOBODY)
    try:
        {NAMESPACE: enter_user_namespace, NOBODY: become}[way](nobody.pw_uid, nobody.pw_gid)
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run without root's rights ({way}): {error.strerror or error}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
