"""What `sam build` makes: only what runs, for the platform it runs on, the same every time."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.local_aws import ENVIRONMENTS, REPOSITORY
from tests.proof import Part, Proof

pytestmark = pytest.mark.deploy

BROUGHT_BY_LAMBDA = ["boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"]
FUNCTIONS = ["DispatchDistricts", "CheckDistricts", "SendAlerts", "RenderDashboard"]

holds = pytest.mark.claim(
    "The artifact holds what runs and nothing else: no test, no tool, no boto3, no bytecode or binary of another platform",
    part=Part.ARTIFACT,
    how="every file of `sam build` for Lambda (arm64, Python 3.13) and for this machine",
)


def build(folder: Path, umask: int = 0o022, **environment: str) -> Path:
    """`sam build` of a copy of this working tree. Returns the folder of the artifacts."""
    source = folder / "source"
    folder.mkdir(exist_ok=True)
    shutil.copytree(REPOSITORY / "functions", source / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "template.yaml", source)
    (source / "functions" / "extra-ca.pem").write_text("a certificate authority of the operator's own")
    ours = {"PYTHON": str(ENVIRONMENTS / "sam" / "bin" / "python"), "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(
        [ENVIRONMENTS / "sam" / "bin" / "sam", "build", "--build-dir", str(folder / "build")],
        cwd=source,
        env=dict(os.environ) | ours | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=umask,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return folder / "build"


def files(artifact: Path) -> dict[str, str]:
    """Every file and the hash of what is in it."""
    found = [path for path in artifact.rglob("*") if path.is_file()]
    return {str(path.relative_to(artifact)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def for_lambda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("lambda"))


@pytest.fixture(scope="module")
def for_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("host"), LAMBDA_TARGET="host", PYTHON=sys.executable)


@holds
def test_all_functions_carry_the_same_files(for_lambda: Path) -> None:
    first, *others = [files(for_lambda / name) for name in FUNCTIONS]
    assert first
    assert all(other == first for other in others)


def archives(artifacts: Iterable[Path]) -> dict[str, list[str]]:
    """What `sam package` calls each artifact, and the hash of the zip file that it makes of it."""
    program = [str(ENVIRONMENTS / "sam" / "bin" / "python"), "tests/deploy/zip_artifact.py", *map(str, artifacts)]
    done = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.claim(
    "The same input makes the same artifact, to the last byte of the zip file that is uploaded",
    part=Part.ARTIFACT,
    how="`sam build` twice, minutes apart, in folders of other names, under another umask, time zone, locale and hash seed",
)
@pytest.mark.parametrize("target", ["lambda", "host"])
def test_the_same_input_makes_the_same_artifact(target: str, request: pytest.FixtureRequest, tmp_path: Path, proof: Proof) -> None:
    if target == "host" and not proof.full:
        pytest.skip("a second build for this machine: only in `make prove`")
    one: Path = request.getfixturevalue({"lambda": "for_lambda", "host": "for_here"}[target])
    elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "17", "LAMBDA_TARGET": target}
    other = build(
        tmp_path / "in a folder with a name of its own",
        umask=0o077,
        **elsewhere | ({"PYTHON": sys.executable} if target == "host" else {}),
    )
    for name in FUNCTIONS:
        assert files(other / name) == files(one / name)
        assert len({path.stat().st_mtime for path in (other / name).rglob("*")}) == 1
    packed = archives(built / name for built in (one, other) for name in FUNCTIONS)
    assert len(packed) == 2 * len(FUNCTIONS)
    assert len({tuple(archive) for archive in packed.values()}) == 1, packed
    compiled = sum(path.endswith(".pyc") for path in files(one / "CheckDistricts"))
    proof.tried(len(FUNCTIONS))
    proof.note(f"{target}: {len(files(one / 'CheckDistricts'))} files, {compiled} of them bytecode")


@holds
def test_the_artifact_holds_the_handlers_the_package_and_the_operators_certificates(for_lambda: Path) -> None:
    there = files(for_lambda / "CheckDistricts")
    wanted = {str(path.relative_to(REPOSITORY / "functions")) for path in (REPOSITORY / "functions").rglob("*.py")}
    assert wanted | {"rosterwatch/py.typed", "extra-ca.pem"} <= there.keys()


@holds
def test_the_artifact_holds_no_test_no_build_file_no_boto3_and_no_metadata_but_versions_and_licences(for_lambda: Path) -> None:
    there = sorted(files(for_lambda / "CheckDistricts"))
    top = {path.split("/")[0] for path in there}
    assert not top & {"Makefile", "requirements.txt", "requirements.in", "bin", "boto3", "botocore", "pip", "pytest"}
    # Authlib names them, and what is used of it never imports them: two thirds of the bundle (functions/Makefile).
    assert not top & {"cryptography", "joserfc", "cffi", "pycparser"}
    assert not [path for path in there if re.search(r"(^|/)(tests?|conftest\.py)(/|$)", path)]
    metadata = [path for path in there if ".dist-info/" in path]
    assert [path for path in metadata if path.endswith("/METADATA")]
    assert not [path for path in metadata if not re.search(r"/(METADATA|licenses/.*|LICEN[CS]E[^/]*|NOTICE[^/]*)$", path)]


@holds
def test_every_compiled_module_is_for_arm64_and_python_3_13(for_lambda: Path) -> None:
    for module in (for_lambda / "CheckDistricts").rglob("*.so"):
        assert re.search(r"\.(cpython-313-aarch64-linux-gnu|abi3)\.so$", module.name), module
        head = module.read_bytes()[:20]
        assert head[:6] == b"\x7fELF\x02\x01"
        assert int.from_bytes(head[18:20], "little") == 183, f"{module} is not for arm64"


@holds
def test_bytecode_in_the_artifact_is_for_python_3_13_and_is_never_checked_against_its_source(for_lambda: Path) -> None:
    for compiled in (for_lambda / "CheckDistricts").rglob("*.pyc"):
        assert compiled.name.endswith(".cpython-313.pyc")
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01  # by hash, unchecked


@holds
def test_the_artifact_fits_in_lambda(for_lambda: Path) -> None:
    size = sum(path.stat().st_size for path in (for_lambda / "CheckDistricts").rglob("*"))
    assert size < 50_000_000  # Lambda takes 250 MB; the time to fetch it is part of every cold start


# What of Authlib is used works without what the artifact leaves out.
PROVE = """
from rosterwatch.auth import bearer_headers, read_grant, token_request
from rosterwatch.district import Credentials
from rosterwatch.providers import PROVIDERS, Auth
from rosterwatch.signature import Signer

pair = Credentials("id", "secret")
for dialect in PROVIDERS["aeries"].token_dialects:
    assert token_request("https://sis.example.org/aeries", dialect, pair, ("scope",)).headers["Authorization"].startswith("Basic ")
assert bearer_headers(read_grant({"access_token": "token"})) == {"Authorization": "Bearer token"}
for auth in (Auth.OAUTH1_SHA1, Auth.OAUTH1_SHA256):
    assert "oauth_signature=" in Signer(pair, auth).headers("GET", "https://sis.example.org/users?limit=1")["Authorization"]
"""


@pytest.mark.claim(
    "Everything in the artifact finds what it imports there or in Lambda's runtime",
    part=Part.ARTIFACT,
    how="every module imported in a process without site-packages",
)
def test_everything_in_the_artifact_finds_what_it_needs_there_or_in_the_lambda_runtime(for_here: Path, tmp_path: Path) -> None:
    artifact = for_here / "CheckDistricts"
    package = sorted(f"rosterwatch.{path.stem}" for path in (artifact / "rosterwatch").glob("*.py") if not is_for_the_laptop(path))
    handlers = sorted(path.stem for path in (REPOSITORY / "functions").glob("*.py"))
    assert {"rosterwatch.probe", "rosterwatch.state"} <= set(package)
    assert len(handlers) == len(FUNCTIONS)
    for name in BROUGHT_BY_LAMBDA:
        where = importlib.util.find_spec(name)
        assert where
        assert where.origin
        origin = Path(where.origin)
        (tmp_path / (origin.parent.name if origin.stem == "__init__" else origin.name)).symlink_to(
            origin.parent if origin.stem == "__init__" else origin
        )
    # No site-packages: what is missing here is missing in Lambda.
    program = (
        f"import sys; sys.path[:0] = [{str(artifact)!r}, {str(tmp_path)!r}]; "
        f"import sniffio, {', '.join(package + handlers)}\n{PROVE}"
    )
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", program], check=True)


def is_for_the_laptop(path: Path) -> bool:
    """Whether this is of the command line, which travels with the package; its libraries are the laptop's to bring."""
    return (
        path.stem in ("__init__", "cli")
        or re.search(r"^(from|import) (click|rich|rosterwatch\.terminal)\b", path.read_text(), re.MULTILINE) is not None
    )


@pytest.mark.claim(
    "A package whose hash is not the locked one never reaches the artifact", part=Part.ARTIFACT, how="a build with other hashes"
)
def test_a_wheel_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "functions"
    shutil.copytree(REPOSITORY / "functions", source, ignore=shutil.ignore_patterns("__pycache__"))
    locked = source / "requirements.txt"
    locked.write_text(re.sub(r"sha256:[0-9a-f]{4}", "sha256:0000", locked.read_text()))
    done = subprocess.run(
        ["make", "build-CheckDistricts"],
        cwd=source,
        env=dict(os.environ) | {"ARTIFACTS_DIR": str(tmp_path / "CheckDistricts"), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
