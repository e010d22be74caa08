"""Lists what an artifact carries, with versions and licences, as CycloneDX JSON: ``python sbom.py ARTIFACT OUT.json``.

Run by the environment of ``sbom.txt``. The tool lists an interpreter's packages, so it is given one that has none but the
artifact's. The same artifact gives the same file: no time stamp, no serial number, no path.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def write(artifact: Path, out: Path) -> None:
    """List the artifact's packages. The tool holds what it writes to CycloneDX' own schema."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=False)
        [packages] = Path(folder).glob("lib/python*/site-packages")
        (packages / "artifact.pth").write_text(f"{artifact.resolve()}\n", encoding="utf-8")
        out.parent.mkdir(parents=True, exist_ok=True)
        tool = Path(sys.executable).with_name("cyclonedx-py")
        project = ["--pyproject", str(REPOSITORY / "pyproject.toml"), "--mc-type", "application"]
        interpreter = str(Path(folder) / "bin" / "python")
        subprocess.run(  # noqa: S603 - a tool of our own environment
            [tool, "environment", interpreter, *project, "--output-reproducible", "--validate", "-o", str(out)], check=True
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
