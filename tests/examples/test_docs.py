"""Every example of the README, the docs and the docstrings runs, and what is shown as output is the true output."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

import account_batch
from account_batch.cli import main

ROOT = Path(__file__).resolve().parents[2]
TELCO = ROOT.parent / "shared" / "data" / "telco"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def run_console(example: Example) -> str | None:
    """Run a line that begins with "$ account-batch" or "$ cat", and compare what it prints with what follows."""
    command, _, shown = str(example.parsed).partition("\n")
    capture: pytest.CaptureFixture[str] = example.namespace["capsys"]
    program, *arguments = shlex.split(command.removeprefix("$ "))
    if program == "cat":
        Path(arguments[0]).write_text(shown, encoding="utf-8")
        return None
    assert program == "account-batch"
    capture.readouterr()
    main(arguments)
    captured = capture.readouterr()
    printed = captured.out + captured.err
    assert [UUID.sub("ID", line) for line in printed.splitlines()] == [
        UUID.sub("ID", line) for line in shown.splitlines()
    ]
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python blocks run one after the other; console blocks print what is shown."""
    if "accounts.csv" in page.read_text(encoding="utf-8") and page.name.startswith("how-to-preview"):
        if not TELCO.is_dir():
            pytest.skip("the telco data is not beside the checkout")
        for name in ("accounts.csv", "catalog.toml"):
            (tmp_path / name).symlink_to(TELCO / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    sybil = Sybil([PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=run_console)])
    document = sybil.parse(page)
    document.namespace["capsys"] = capsys
    for example in document.examples():
        example.evaluate()


MODULES = [
    module.name
    for module in pkgutil.walk_packages(account_batch.__path__, "account_batch.")
    if ">>>" in Path(str(importlib.util.find_spec(module.name).origin)).read_text(encoding="utf-8")  # type: ignore[union-attr]  # Every module that is found has a spec.
]


@pytest.mark.parametrize("name", MODULES)
def test_every_docstring_example_runs(name: str) -> None:
    """The examples of public classes."""
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module, extraglobs=vars(account_batch))
    assert tried
    assert not failed


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link names a file that is there."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
