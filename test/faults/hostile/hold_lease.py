"""Holds a write lease on a file and touches it, again and again: whoever opens it waits for lease-break-time.

Source: fcntl(2), F_SETLEASE. A lease is given only while nobody else has the file open: a copy takes its place first.
"""
import fcntl
import os
import shutil
import signal
import sys
import time

path = sys.argv[1]
# The kernel asks for the lease with SIGIO; a process that means harm does not answer.
signal.signal(signal.SIGIO, signal.SIG_IGN)
owner = os.stat(path)
shutil.copyfile(path, f"{path}.copy")
os.chown(f"{path}.copy", owner.st_uid, owner.st_gid)
os.rename(f"{path}.copy", path)
descriptor = os.open(path, os.O_RDWR)
print("began", flush=True)
while True:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        pass
    try:
        os.utime(path)
    except OSError:
        pass
    time.sleep(0.01)
