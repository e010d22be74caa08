"""What of others is in the artifact: the locked packages and no other, their licences, and the list of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final

import pytest

from tests.local_aws import ENVIRONMENTS, REPOSITORY
from tests.proof import Part, Proof

pytestmark = pytest.mark.deploy

#: What may be passed on with no more than the text of the licence. MPL-2.0 asks for the source of its own files, which Python is.
ALLOWED: Final = {"MIT", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "MPL-2.0", "MIT OR Apache-2.0"}
#: A line of each text by which it is known.
WORDS: Final = {
    "MIT": "Permission is hereby granted, free of charge",
    "BSD-3-Clause": "Redistribution and use in source and binary forms",
    "Apache-2.0": "Apache License",
    "PSF-2.0": "PYTHON SOFTWARE FOUNDATION LICENSE",
    "MPL-2.0": "Mozilla Public License",
    "MIT OR Apache-2.0": "Permission is hereby granted, free of charge",
}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact for Lambda, as the function's own Makefile makes it for `sam build`."""
    folder = tmp_path_factory.mktemp("artifact") / "CheckDistricts"
    folder.mkdir()
    python = {"PYTHON": str(ENVIRONMENTS / "sam" / "bin" / "python"), "ARTIFACTS_DIR": str(folder)}
    subprocess.run(
        ["make", "--silent", "build-CheckDistricts"], cwd=REPOSITORY / "functions", env=dict(os.environ) | python, check=True
    )
    return folder


def plain(name: str) -> str:
    """A package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def carried(artifact: Path) -> dict[str, Distribution]:
    """The packages in the artifact."""
    return {plain(one.name): one for one in distributions(path=[str(artifact)])}


def locked() -> dict[str, str]:
    """The packages in the functions' lock, and their versions."""
    text = (REPOSITORY / "functions" / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.claim(
    "The artifact holds the packages of functions/requirements.txt in their versions and no other; what is left out is named",
    part=Part.SUPPLY,
    how="the metadata in the built artifact beside the lock, and every importable name beside the metadata",
)
def test_the_artifact_holds_what_is_locked_and_nothing_else(artifact: Path, proof: Proof) -> None:
    there = {name: one.version for name, one in carried(artifact).items()}
    left_out = set(re.findall(r"\b([a-z]+)-\*", (REPOSITORY / "functions" / "Makefile").read_text(encoding="utf-8")))
    assert {name: version for name, version in locked().items() if name not in left_out} == there
    assert left_out == {"joserfc", "cryptography", "cffi", "pycparser"}
    modules = {path.name.removesuffix(".py") for path in artifact.iterdir() if not path.name.endswith((".dist-info", ".pem"))}
    ours = {path.stem for path in (REPOSITORY / "functions").glob("*.py")} | {"rosterwatch", "__pycache__"}
    assert {plain(name) for name in modules - ours} == set(there)
    proof.tried(len(there))


@pytest.mark.claim(
    "Every package in the artifact brings the text of its licence, all are listed in docs/licences.md, none asks for more",
    part=Part.SUPPLY,
    how="the metadata and texts in the built artifact against a list of allowed licences",
)
def test_every_package_brings_its_licence_and_is_listed(artifact: Path, proof: Proof) -> None:
    page = (REPOSITORY / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = {
        plain(name): licence for name, licence in re.findall(r"^\| ([\w-]+) \| ([^|]+) \|", page, re.MULTILINE) if name != "Package"
    }
    found = {}
    for name, one in carried(artifact).items():
        [found[name]] = one.metadata.get_all("License-Expression") or one.metadata.get_all("License") or [""]
        folder = folder_of(artifact, one)
        texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file() and path.name != "METADATA"]
        assert any(WORDS[found[name]].casefold() in re.sub(r"\s+", " ", text).casefold() for text in texts), name
        assert not list(folder.rglob("*NOTICE*")), f"{name} has a NOTICE: say so in docs/licences.md"
        proof.tried()
    assert found == rows
    assert set(found.values()) <= ALLOWED


def folder_of(artifact: Path, one: Distribution) -> Path:
    """Where a package's metadata lies."""
    [folder] = [path for path in artifact.glob("*.dist-info") if plain(path.name.partition("-")[0]) == plain(one.name)]
    return folder


@pytest.mark.claim(
    "The list of parts (CycloneDX) is valid, names every package of the artifact, its version and licence, the same each time",
    part=Part.SUPPLY,
    how="make sbom's tool, twice, over the built artifact",
    only_full=True,
)
def test_the_list_of_parts_is_complete_valid_and_the_same_each_time(artifact: Path, tmp_path: Path, proof: Proof) -> None:
    lists = [written(artifact, tmp_path / name) for name in ("one.json", "two.json")]
    assert lists[0] == lists[1]
    assert str(artifact) not in lists[0]
    bom: dict[str, Any] = json.loads(lists[0])
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "rosterwatch")
    named = {plain(part["name"]): part for part in bom["components"]}
    assert {name: part["version"] for name, part in named.items()} == {n: one.version for n, one in carried(artifact).items()}
    for name, part in named.items():
        assert part["purl"] == f"pkg:pypi/{name}@{part['version']}"
        ids = {licence["license"].get("id") if "license" in licence else licence["expression"] for licence in part["licenses"]}
        assert ids & ALLOWED
        proof.tried()


def written(artifact: Path, out: Path) -> str:
    """What the tool says of an artifact; it fails where that is not valid."""
    program = ENVIRONMENTS / "sbom" / "bin" / "python"
    subprocess.run([program, REPOSITORY / "requirements" / "sbom.py", artifact, out], check=True, capture_output=True)
    return out.read_text(encoding="utf-8")
