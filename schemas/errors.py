"""Errors a user can act on, each with the exit status the command line returns for it."""

from __future__ import annotations

import errno

# What the system says where there is no room: the disk, the user's share of it, a limit on files.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_CALL = 2
EXIT_TOO_MUCH_QUARANTINED = 3


class CurateError(Exception):
    """Something failed while running; the message names the file and the remedy."""

    exit_status = EXIT_FAILED


class WrongCall(CurateError):
    """The call, recipe or configuration is wrong; nothing has been written."""

    exit_status = EXIT_WRONG_CALL


class Unreadable(Exception):
    """An input, or one record of it, cannot be read: it goes to quarantine with this reason."""


def told_by_system(error: OSError, place: object = "") -> str:
    """What the system refused in one line: the file, or else the `place` of the work; and what to do about it."""
    where = error.filename or place
    remedy = "; free some space and run the same command again" if error.errno in NO_SPACE else ""
    return f"{where}: {error.strerror or error}{remedy}" if where else f"{error.strerror or error}{remedy}"
