"""
Taking rights away from this process and all that it starts, before it talks to a host nobody knows.

A check runs beside the operator, as its user, in its container. Should a host make git misbehave, git must
neither read the operator's token nor eat the machine. No privilege is needed for any of this:

- limits on memory and on the size of files (setrlimit(2)), no core dump;
- no new privileges by set-user-ID programs (PR_SET_NO_NEW_PRIVS, prctl(2));
- Landlock, where the kernel has it (Linux 5.13): only the named folders can be read, only one written.
  See landlock(7); the numbers are those of <linux/landlock.h> and <asm-generic/unistd.h>.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger(__name__)

MEMORY = 1 << 30  # bytes of address space, of each process
FILE_SIZE = 64 << 20  # bytes

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_RULE_PATH_BENEATH = 1
_ASK_VERSION = 1

# LANDLOCK_ACCESS_FS_*
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE  # the rest is of folders alone
_KNOWN = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}

# What git and the resolver need of the system; what does not exist is left out.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/opt", "/nix/store")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def cap() -> None:
    """Limit memory and files of this process and its children, for good."""
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, FILE_SIZE), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    if sys.platform == "linux":
        none = ctypes.c_ulong(0)
        _check(_libc().prctl(ctypes.c_int(_PR_SET_NO_NEW_PRIVS), ctypes.c_ulong(1), none, none, none))


def landlock_version() -> int:
    """Return the version of the kernel's Landlock, 0 when there is none or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))))


def confine(folder: Path, readable: Iterable[str | Path] = ()) -> bool:
    """
    Leave this process and its children the system, `readable`, and `folder`, which they may write.

    Return whether the kernel can do that; without, nothing changes and the process goes on. `cap` comes first.
    `folder` itself may be removed from its parent, other files there may not.
    """
    version = landlock_version()
    if not version:
        log.debug("this kernel has no Landlock: git can read what this process can")
        return False
    everything = _KNOWN[min(version, max(_KNOWN))]
    libc = _libc()
    attributes = struct.pack("=Q", everything)  # struct landlock_ruleset_attr, of version 1
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    _check(ruleset)
    try:
        for path in (*SYSTEM, *_interpreter(), os.path.realpath("/etc/resolv.conf"), *readable):
            _allow(ruleset, path, _READ)
        for path in DEVICES:
            _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
        _allow(ruleset, folder, everything)
        _allow(ruleset, folder.parent, _REMOVE_DIR)
        _check(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: str | Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there, or not for us: nothing to allow
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, opened)  # struct landlock_path_beneath_attr, packed
        kind, flags = ctypes.c_int(_RULE_PATH_BENEATH), ctypes.c_uint32(0)
        _check(_libc().syscall(_ADD_RULE, ctypes.c_int(ruleset), kind, rule, flags))
    finally:
        os.close(opened)


def _interpreter() -> tuple[str, ...]:
    """Return where Python and this package are: modules may still be imported."""
    return (sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(Path(__file__).resolve().parents[1]))


def _check(answer: int) -> None:
    """Raise OSError if a system call failed: who cannot take a right away must not go on with it."""
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the check cannot confine itself: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
