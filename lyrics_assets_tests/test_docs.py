"""The papers of the project are true: links lead somewhere, commands and settings exist, none is left out."""

import itertools
import re
import shlex
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
import yaml
from markdown_it import MarkdownIt

from benchmarks import BENCHMARKS
from lyrics_assets.cli import main
from lyrics_assets.serving.settings import ServiceSettings
from lyrics_assets.settings import ROOT, Settings

FOLDERS = ("*.md", "docs/*.md", "deploy/*.md", "lyrics_assets/**/*.md", "scrapy_project/**/*.md", "benchmarks/*.md")
PAPERS = sorted(path for pattern in FOLDERS for path in ROOT.glob(pattern))
MARKDOWN = MarkdownIt("commonmark").enable("table")
COMMAND = re.compile(r"(\.venv/bin/)?(lyrics|make|python -m benchmarks\S*)( |$)")
"""As a line of text names it."""
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
TARGETS = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SETTINGS = {f"LYRICS_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
SERVICE_SETTINGS = {f"LYRICS_SERVICE_{name.upper()}" for name in ServiceSettings.model_fields}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


papers = pytest.mark.parametrize("paper", PAPERS, ids=name_of)


def tokens(paper):
    """Yield the tokens of a paper, those within a line of text too."""
    for token in MARKDOWN.parse(paper.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def links(paper):
    """Yield every address that a paper leads to or shows."""
    for token in tokens(paper):
        if token.type == "link_open":
            yield token.attrs["href"]
        elif token.type == "image":
            yield token.attrs["src"]
        elif token.type in ("html_block", "html_inline"):
            yield from re.findall(r'(?:src|href)="([^"]+)"', token.content)


def anchors(paper):
    """Return what the headings of a paper are called in its address, as GitHub makes it."""
    found, seen = set(), Counter()
    parsed = MARKDOWN.parse(paper.read_text(encoding="utf-8"))
    for opening, heading in itertools.pairwise(parsed):
        if opening.type != "heading_open":
            continue
        text = "".join(part.content for part in heading.children if part.type in ("text", "code_inline"))
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def commands(paper):
    """Yield the commands of a paper, as lists of words: of its blocks of shell, and of its lines of text."""
    for token in tokens(paper):
        if token.type == "fence" and token.info.strip() == "sh":
            for line in whole_lines(token.content.replace("\\\n", " ")):
                yield from split(line)
        elif token.type == "code_inline" and COMMAND.match(token.content):
            yield from split(token.content)


def whole_lines(text):
    """Yield the lines of a shell's text; those within one pair of quotes are one."""
    begun = ""
    for line in text.splitlines(keepends=True):
        begun += line
        try:
            shlex.split(begun, comments=True)
        except ValueError:
            continue
        yield begun
        begun = ""
    assert not begun, f"no closing quotation: {begun}"


def split(line):
    """Yield the commands of a line, without what is set for them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words = []
    for word in [*lexer, ";"]:
        if set(word) <= set("&|;"):
            if words:
                yield words
            words = []
        elif words or not (ASSIGNMENT.fullmatch(word) or word == "export"):
            words.append(word)


def problem(words):
    """Return what is wrong with a command; nothing if it exists, or if it is none of the project's."""
    match [words[0].removeprefix(".venv/bin/"), *words[1:]]:
        case ["lyrics", *arguments]:
            return problem_of_lyrics(arguments)
        case ["make", *arguments]:
            unknown = [word for word in arguments if not word.startswith("-") and word not in TARGETS]
            return f"no target {unknown[0]}" if unknown else ""
        case ["python", "-m", "benchmarks", *arguments]:
            unknown = [word for word in arguments if word not in {"--full", *BENCHMARKS}]
            return f"no benchmark {unknown[0]}" if unknown else ""
        case ["python", "-m", module, *_] if module.startswith("benchmarks"):
            return f"{module} is no command"
        case ["pytest", *arguments]:
            gone = [word for word in arguments if word.startswith("lyrics_assets_tests") and not (ROOT / word).exists()]
            return f"no test {gone[0]}" if gone else ""
    return ""


def problem_of_lyrics(arguments):
    command, names = main, options(main)
    for word in arguments:
        if isinstance(command, click.Group) and not word.startswith("-"):
            if word not in command.commands:
                return f"no command {word}"
            command = command.commands[word]
            names = options(command)
        elif word.startswith("--") and word.partition("=")[0] not in names:
            return f"{command.name} has no option {word}"
    return ""


def options(command):
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return known | {"--help"}


@papers
def test_every_link_leads_somewhere(paper):
    broken = []
    for link in links(paper):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (paper.parent / path).resolve() if path else paper
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@papers
def test_every_command_exists(paper):
    assert [(shlex.join(words), told) for words in commands(paper) if (told := problem(words))] == []


@pytest.mark.parametrize(
    "line",
    [
        "lyrics frobnicate",
        "LYRICS_HOME=x .venv/bin/lyrics run --nope 3",
        "cd x && lyrics rollback --to=3 --too",
        "make lint nothing  # as it was",
        "python -m benchmarks --full nothing",
        "python -m benchmarks.load",
        ".venv/bin/pytest -q lyrics_assets_tests/test_nothing.py",
    ],
)
def test_a_command_that_does_not_exist_is_told(line):
    assert [problem(words) for words in split(line)][-1]


def test_the_readme_shows_commands_of_every_kind():
    first = {words[0].removeprefix(".venv/bin/") for words in commands(ROOT / "README.md")}
    assert {"make", "lyrics", "python", "curl"} <= first


def table(paper, prefix):
    """Return the rows of a paper that begin with a variable: its name, and its second cell."""
    row = re.compile(rf"^\| `({prefix}\w+)` \| (.*?) \|", re.MULTILINE)
    return row.findall((ROOT / "docs" / paper).read_text(encoding="utf-8"))


def shown(default):
    if default == "":
        return "none"
    if isinstance(default, Path):
        return f"`{name_of(default)}/`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_table_of_settings_names_each_once_with_its_default():
    assert sorted(table("operations.md", "LYRICS_")) == sorted((name, shown(value)) for name, value in SETTINGS.items())


def test_the_table_of_the_services_settings_names_each_once():
    assert sorted(name for name, _ in table("api.md", "LYRICS_SERVICE_")) == sorted(SERVICE_SETTINGS)


@papers
def test_every_variable_that_is_named_is_one_that_somebody_reads(paper):
    known = SETTINGS.keys() | SERVICE_SETTINGS
    named = set(re.findall(r"LYRICS_[A-Z_*]+", paper.read_text(encoding="utf-8")))
    assert [name for name in named if not any(fnmatch(other, name) for other in known)] == []


def test_continuous_integration_runs_targets_that_exist_on_pythons_that_are_allowed():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["check"]
    lines = [step["run"] for step in job["steps"] if "run" in step]
    assert lines
    assert [problem(words) for line in lines for words in split(line)] == [""] * len(lines)
    assert all(words[0] == "make" for line in lines for words in split(line))
    assert {"3.11", "3.13"} == set(job["strategy"]["matrix"]["python"])


def test_the_hooks_run_the_environments_own_tools():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    tools = {f".venv/bin/{name}" for name in ("ruff", "mypy", "lint-imports")}
    assert {hook["entry"].split()[0] for hook in hooks} == tools
