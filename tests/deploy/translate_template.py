"""Print what CloudFormation will see of a SAM template. Runs in the environment of the SAM command line, with a region set.

Linters look at `AWS::Serverless::Function` from the outside only; in the plain resources that it stands for they find more.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The translator asks for AWS' managed policies by name; the template uses none."""

    def load(self) -> dict[str, str]:
        """No policy."""
        return {}


def translate(path: Path) -> dict[str, Any]:
    """The template without SAM. The code counts as uploaded already."""
    template = yaml_parse(path.read_text())
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
    for resource in template["Resources"].values():
        resource.pop("Metadata", None)
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    return translated


if __name__ == "__main__":
    json.dump(translate(Path(sys.argv[1])), sys.stdout, indent=1)
