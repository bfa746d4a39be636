"""Exchanges files with links to another place, without a pause, so that what is checked is not what is read.

Source: renameat2(2), RENAME_EXCHANGE.
"""
import ctypes
import os
import sys

files, target = sys.argv[1:-1], sys.argv[-1]
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
RENAME_EXCHANGE = 2
pairs = []
for file in files:
    os.makedirs(os.path.dirname(file), exist_ok=True)
    if os.path.lexists(file):
        os.unlink(file)
    with open(file, "w") as out:
        out.write("what the agent wrote")
    if os.path.lexists(file + ".link"):
        os.unlink(file + ".link")
    os.symlink(target, file + ".link")
    pairs.append((file.encode(), (file + ".link").encode()))
print("began", flush=True)
while True:
    for file, link in pairs:
        libc.renameat2(AT_FDCWD, file, AT_FDCWD, link, RENAME_EXCHANGE)
