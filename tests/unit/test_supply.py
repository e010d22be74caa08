"""Where the code of others comes from: pinned, hashed, and by no index of anybody's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.proof import REPOSITORY, Part, Proof

LOCKS: Final = [REPOSITORY / "functions" / "requirements.txt", *sorted((REPOSITORY / "requirements").glob("*.txt"))]
_PIN: Final = re.compile(
    r"(?P<name>[a-z0-9-]+)(\[[a-z,]+\])?==[0-9][0-9a-z.+!]*(?P<where> ; [^\\]+)?"
    r"(?P<hashes>( \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


@pytest.mark.claim(
    "Every package of every lock is pinned to one version and to the hashes of its files, and no lock names an index or an address",
    part=Part.SUPPLY,
    how="every line of functions/requirements.txt and requirements/*.txt",
)
@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_is_pinned_and_hashed_and_no_lock_names_an_index(lock: Path, proof: Proof) -> None:
    text = re.sub(r"^#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pins = list(_PIN.finditer(text))
    assert "".join(pin[0] for pin in pins) == text
    assert len({(pin["name"], pin["where"]) for pin in pins}) == len(pins) > 0
    assert "://" not in lock.read_text(encoding="utf-8")
    proof.tried(sum(pin["hashes"].count("--hash") for pin in pins))


def test_every_lock_has_its_wishes_beside_it_and_is_written_by_make_lock() -> None:
    for lock in LOCKS:
        assert lock.with_suffix(".in").is_file()
        assert "make lock" in lock.read_text(encoding="utf-8")[:200]
    wishes = [*(REPOSITORY / "requirements").glob("*.in"), REPOSITORY / "functions" / "requirements.in"]
    assert len(wishes) == len(LOCKS)


@pytest.mark.claim(
    "Nothing of others is installed without its hash, and nothing is compiled on the way",
    part=Part.SUPPLY,
    how="every call of pip in the two Makefiles",
)
@pytest.mark.parametrize("name", ["Makefile", "functions/Makefile"])
def test_pip_takes_only_what_is_hashed(name: str, proof: Proof) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8").replace("\\\n", " ")
    variable = re.search(r"^PIP_INSTALL := (.*)$", text, re.MULTILINE)
    lines = [line.replace("$(PIP_INSTALL)", variable[1] if variable else "") for line in text.splitlines()]
    calls = [line for line in lines if re.search(r"-m pip install", line) and not line.startswith("PIP_INSTALL")]
    assert calls
    for call in calls:
        # The project itself comes from the working tree, with a build backend that is installed already.
        ours = "--no-build-isolation --editable ." in call
        assert ours or ("--require-hashes" in call and "--only-binary :all:" in call), call
        assert "--no-deps" in call
        proof.tried()
