"""The template as CloudFormation sees it, after SAM has written out its short forms.

Linters look at what was written. What counts is what SAM makes of it: a misspelt property is silently dropped, a default
is filled in.
"""

import copy
import os
import pathlib

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = pathlib.Path(__file__).resolve().parents[3]


class _NoManagedPolicies:
    """SAM asks AWS for the managed policies that a template names; ours names none in a function."""

    def load(self):
        return {}


def source():
    """The template as written, with intrinsic functions in their long form."""
    return yaml_parse((ROOT / "template.yaml").read_text())


def transformed(document):
    """What SAM makes of a template, every parameter at its default."""
    document = copy.deepcopy(document)
    # The transform needs the location of the packaged code, and a region. It sends no requests.
    document["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    values = {name: p.get("Default") for name, p in document["Parameters"].items()}
    return transform(document, values, _NoManagedPolicies())


def resources(template, kind):
    """The resources of a type, by logical id."""
    return {name: r for name, r in template["Resources"].items() if r["Type"] == kind}
