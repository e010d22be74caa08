"""`template.yaml` as plain data: `!Ref X` is `{"Ref": "X"}`, `!GetAtt A.B` is `{"Fn::GetAtt": "A.B"}`, and so on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import yaml

from tests.local_aws import REPOSITORY

#: Another one only where faults are seeded, to see the tests fail on them (tests/deploy/test_template_faults.py).
PATH: Final = Path(os.environ.get("ROSTERWATCH_TEMPLATE", REPOSITORY / "template.yaml"))


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise TypeError(f"no short form of CloudFormation takes a mapping: !{suffix}")
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def load() -> dict[str, Any]:
    """The template as it stands in the repository."""
    template: dict[str, Any] = yaml.load(PATH.read_text(), _Loader)  # noqa: S506 (a SafeLoader)
    return template


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of one type, by their logical names."""
    return {name: resource.get("Properties", {}) for name, resource in template["Resources"].items() if resource["Type"] == kind}
