"""Print how `sam package` names each artifact, and the hash of the zip file that it makes of it. Runs in sam's environment."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from samcli.lib.package.utils import make_zip_with_lambda_permissions, zip_folder

if __name__ == "__main__":
    found = {}
    for folder in sys.argv[1:]:
        with zip_folder(folder, make_zip_with_lambda_permissions) as (archive, name):
            found[folder] = [name, hashlib.sha256(Path(archive).read_bytes()).hexdigest()]
    json.dump(found, sys.stdout)
