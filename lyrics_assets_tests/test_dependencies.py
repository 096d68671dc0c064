"""What is installed: pinned by content, from no place of its own, under licences that ask for nothing but a notice."""

import importlib.metadata
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lyrics_assets.settings import ROOT

PERMISSIVE = {
    *("MIT", "MIT-0", "MIT-CMU", "0BSD", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "ISC", "Zlib"),
    *(
        "Apache-2.0",
        "Apache License 2.0",
        "Apache 2.0",
        "PSF-2.0",
        "ZPL-2.1",
        "Unlicense",
        "CC0-1.0",
        "3-Clause BSD License",
    ),
    # What classifiers call the same.
    *("MIT License", "BSD License", "Apache Software License", "Python Software Foundation License"),
    *("ISC License (ISCL)", "The Unlicense (Unlicense)", "DFSG approved"),
}
UNNAMED = {"skops": "MIT License", "huey": "Permission is hereby granted, free of charge", "hopsworks-apigen": "Apache"}
"""Packages whose metadata name no licence: how the file of their licence goes on, in its first lines."""
REASONED = {
    "certifi": ("MPL", "a list of certificates, used as it is; the MPL covers its own files alone"),
    "hypothesis": ("MPL", "for the tests alone"),
    "pathspec": ("MPL", "used as it is; the MPL covers its own files alone"),
    "psycopg2-binary": ("LGPL", "Dagster's client of PostgreSQL: of production alone, loaded as a library, unchanged"),
    "tqdm": ("MPL", "used as it is; the MPL covers its own files alone"),
}
"""Packages with another licence: which, and why they may be here."""


def lock():
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def locked():
    """Return each requirement of the lock with its options."""
    joined = re.sub(r"\\\n", " ", lock())
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def names():
    return {canonicalize_name(Requirement(line.split(" --hash")[0]).name) for line in locked()}


def test_every_requirement_is_pinned_to_one_version_and_by_its_content():
    assert len(locked()) > 200
    for line in locked():
        requirement, *options = line.split(" --hash=")
        assert re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.+!-]+( ; .*)?", requirement.strip()), line
        assert options, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", option.strip()) for option in options), line


def test_the_lock_names_no_place_to_install_from():
    assert "://" not in lock()
    assert re.findall(r"^\s*-(?!-hash=)\S+", lock(), re.MULTILINE) == []


def test_what_the_project_asks_for_is_in_the_lock():
    project = importlib.metadata.distribution("lyrics-classifier")
    asked = {canonicalize_name(Requirement(line).name) for line in project.requires}
    assert len(asked) > 40
    assert asked - names() == set()


def licences(distribution):
    """Return the ways in which a package says its licence: an expression, classifiers, or a free text."""
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return [expression]
    prefix = "License :: "
    told = [each.split(" :: ")[-1] for each in metadata.get_all("Classifier") or [] if each.startswith(prefix)]
    text = (metadata.get("License") or "").strip().partition("\n")[0]
    # A text says it more exactly than a classifier; where it is the whole licence, its first line is its name.
    return [name for name in (text, *told) if name and name != "OSI Approved"]


def is_permissive(expression):
    """Tell it of an expression of SPDX without brackets: of alternatives one is enough, of parts all must be."""
    parts = [part.split(" OR ") for part in expression.split(" AND ")]
    return all(any(name.strip() in PERMISSIVE for name in part) for part in parts)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("", False),
    ],
)
def test_a_licence_is_permissive_by_its_name_alone(expression, expected):
    assert is_permissive(expression) is expected


def test_the_licences_of_what_is_installed_ask_for_nothing_but_a_notice():
    known = names()
    here = [each for each in importlib.metadata.distributions() if canonicalize_name(each.metadata["Name"]) in known]
    assert len(here) > 200
    others = {}
    for distribution in here:
        name, told = canonicalize_name(distribution.metadata["Name"]), licences(distribution)
        if name in REASONED:
            assert any(REASONED[name][0] in each for each in told), (name, told)
        elif name in UNNAMED and not told:
            (file,) = [each for each in distribution.files if each.name == "LICENSE"]
            assert UNNAMED[name] in file.read_text()[:200], name
        elif not any(is_permissive(each) for each in told):
            others[name] = told
    assert others == {}


def test_no_exception_is_made_for_what_is_not_there():
    assert {*REASONED, *UNNAMED} - names() == set()
