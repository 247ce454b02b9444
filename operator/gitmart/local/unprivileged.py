"""
Run a program that refuses to be root, when we are root (a container, a build machine).

`python -m gitmart.local.unprivileged PROGRAM [ARGUMENT …]` becomes PROGRAM in a user namespace where
root's files belong to an ordinary user. So PostgreSQL starts, and needs no account of its own and no
wider permissions on our folders. Where namespaces are forbidden it becomes the user `nobody` instead,
who must then be able to reach the program and its folder.
See user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # <linux/sched.h>


def enter_user_namespace(user: int, group: int) -> bool:
    """Appear as `user` and `group` while owning what root owns; return whether the kernel let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        return False
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} 0 1", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} 0 1", encoding="ascii")
    return True


def main(command: list[str]) -> None:
    """Give up root and become the command."""
    nobody = pwd.getpwnam("nobody")
    if os.geteuid() == 0 and not enter_user_namespace(nobody.pw_uid, nobody.pw_gid):
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
