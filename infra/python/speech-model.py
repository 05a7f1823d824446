"""Downloads an archive (tar.bz2) from its first argument, checks its SHA-256 and unpacks it: URL, SHA-256, folder.

The folder does not exist before, and exists after only if the archive is the one that was asked for.
"""

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import urllib.request

BLOCK_BYTES = 1024 * 1024
# The largest model of the list has less than a quarter of it.
ARCHIVE_BYTES_MAX = 2 * 1024**3
SILENCE_SECONDS_MAX = 60

url, expected, folder = sys.argv[1:]
parent = os.path.dirname(folder)
with tempfile.TemporaryDirectory(dir=parent) as building:
    archive, digest, size = os.path.join(building, "archive"), hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=SILENCE_SECONDS_MAX) as response, open(archive, "wb") as file:
        while block := response.read(BLOCK_BYTES):
            size += len(block)
            if size > ARCHIVE_BYTES_MAX:
                sys.exit(f"ERROR: {url} is longer than {ARCHIVE_BYTES_MAX} bytes")
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != expected:
        sys.exit(f"ERROR: the SHA-256 of {url} is {digest.hexdigest()} and not {expected}")
    unpacked = os.path.join(building, "unpacked")
    os.mkdir(unpacked)
    with tarfile.open(archive, "r:bz2") as files:
        for member in files:
            # Only files, and only by their own names: an archive cannot write elsewhere.
            name = os.path.basename(member.name)
            if member.isfile() and not name.startswith("."):
                with files.extractfile(member) as source, open(os.path.join(unpacked, name), "wb") as target:
                    shutil.copyfileobj(source, target)
    os.rename(unpacked, folder)
