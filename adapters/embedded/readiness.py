"""Say and hear that a child process is ready: one line on an inherited pipe."""

import os

READY_FD = "BALLAST_READY_FD"
READY_LINE = b"ready\n"


def announce_ready() -> bool:
    """Tell the supervisor, if there is one, that this process does its work now; return whether one was told.

    Call once. The pipe is named by the environment variable BALLAST_READY_FD, which is consumed, so that children of
    this process don't inherit the duty.
    """
    named = os.environ.pop(READY_FD, "")
    if not named:
        return False
    descriptor = int(named)
    try:
        os.write(descriptor, READY_LINE)
    except BrokenPipeError:
        return False  # the supervisor is gone, and its end ends us by other means
    finally:
        os.close(descriptor)
    return True
