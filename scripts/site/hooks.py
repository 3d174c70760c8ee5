"""MkDocs hooks: pages from outside docs/ (API reference, model cards, CONTRIBUTING ...) and links into the repository.

Documents link to each other and to files of the repository by relative paths, as a forge shows them. On the site a link
to a Python module leads to its API page, one to another text file to a page with its text.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
PACKAGES = {"sem_field_ros": "The core and its ROS 2 nodes", "sem_field_synth": "Generators of labelled data"}
NOT_API = {"nodes", "commands", "cli", "cli_reference"}  # ros_api.md and cli.md describe these
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PAGES |= {"samples/README.md": "samples.md"}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".sh": "bash", ".xml": "xml"}
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCE = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)$)", flags=re.M | re.S)


def cards() -> list[str]:
    """The model cards, by their paths in the repository."""
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("models/*/README.md"))


def page_of(path: str) -> str:
    """The page's place in the site for a document's path in the repository."""
    if path in PAGES:
        return PAGES[path]
    parts = PurePosixPath(path).parts
    return f"models/{parts[1]}.md" if parts[0] == "models" else "/".join(parts[1:])


# --- the API reference ---------------------------------------------------------------------------------------------
def summary(module: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def api_modules(package: str) -> dict[str, Path]:
    """Every public module of a package, by its dotted name below `package`; a folder goes by its __init__.py."""
    modules = {}
    for path in sorted((SOURCES / package).rglob("*.py")):
        parts = path.relative_to(SOURCES / package).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and parts[0] not in NOT_API and not any(part.startswith("_") for part in parts):
            modules[".".join(parts)] = path
    return modules


def api_page(name: str, package: str) -> str:
    return f"api/{package}/{name.replace('.', '/')}.md"


def api_pages() -> dict[str, str]:
    """Every page of the reference: a page for each module, and one that lists them all."""
    pages, index = {}, ["# Python API", "", "What each module is for. Private names and commands are left out.", ""]
    for package, title in PACKAGES.items():
        index += [f"## {package}", "", title + ".", ""]
        modules = api_modules(package)
        for room in sorted({name.partition(".")[0] for name in modules}):
            is_folder = modules[room].name == "__init__.py"
            if is_folder:
                index += ["", f"### {room}", "", summary(modules[room]), ""]
            names = [name for name in modules if name.startswith(f"{room}.")] if is_folder else [room]
            index += ["| module | |", "|---|---|"] if is_folder or not index[-1].startswith("|") else []
            for name in names:
                link = api_page(name, package).removeprefix("api/")
                index.append(f"| [`{name}`]({link}) | {summary(modules[name])} |")
        for name, path in modules.items():
            if path.name != "__init__.py":
                pages[api_page(name, package)] = f"# {name}\n\n::: {package}.{name}\n"
    return {"api/index.md": "\n".join(index) + "\n", **pages}


def api_nav() -> list[Any]:
    """The reference in the navigation: modules under their folders."""
    nav: list[Any] = ["api/index.md"]
    for package in PACKAGES:
        tree: dict[str, Any] = {}
        for name, path in api_modules(package).items():
            *folders, last = name.split(".")
            place = tree
            for folder in folders:
                place = place.setdefault(folder, {})
            if path.name == "__init__.py":
                place.setdefault(last, {})
            else:
                place[last] = api_page(name, package)
        nav.append({package: as_nav(tree)})
    return nav


def as_nav(tree: dict[str, Any]) -> list[Any]:
    return [{name: as_nav(value) if isinstance(value, dict) else value} for name, value in tree.items() if value]


# --- what MkDocs calls -----------------------------------------------------------------------------------------------
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages where mkdocs.yml names their folders."""
    generated = {"api/": api_nav(), "models/": [page_of(card) for card in cards()]}
    for section in config.nav or []:
        for entries in section.values():
            for entry in entries if isinstance(entries, list) else ():
                for title, target in entry.items():
                    entry[title] = generated.get(target, target)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for path in (*PAGES, *cards()):
        if path != "README.md":  # index.md stands for it
            text = (ROOT / path).read_text(encoding="utf-8")
            files.append(File.generated(config, page_of(path), content=moved(text, path, files, config)))
    for page, text in api_pages().items():
        files.append(File.generated(config, page, content=text))
    for file in list(files.documentation_pages()):
        if file.generated_by is None:
            path = f"docs/{file.src_uri}"
            text = moved(Path(file.abs_src_path or "").read_text(encoding="utf-8"), path, files, config)
            files.remove(file)
            files.append(File.generated(config, file.src_uri, content=text))
    return files


def moved(text: str, path: str, files: Files, config: MkDocsConfig) -> str:
    """A document's text, its links into the repository turned into links between pages. Code blocks stay."""
    parts = FENCE.split(text)
    for i in range(0, len(parts), 2):
        parts[i] = LINK.sub(lambda link: link[1] + site_link(link[2], path, files, config) + link[3], parts[i])
    return "".join(parts)


def site_link(target: str, path: str, files: Files, config: MkDocsConfig) -> str:
    """Where `target`, as written in the document `path`, is on the site."""
    if re.match(r"[a-z]+:|#", target):
        return target
    file, hash_, anchor = target.partition("#")
    place = os.path.normpath((PurePosixPath(path).parent / file).as_posix())
    if not (ROOT / place).exists():
        raise PluginError(f"{path} links to {target}, which does not exist")
    page = place.removeprefix("docs/") if place.startswith("docs/") else repository_page(place, files, config)
    return os.path.relpath(page, PurePosixPath(page_of(path)).parent.as_posix() or ".") + hash_ + anchor


def repository_page(place: str, files: Files, config: MkDocsConfig) -> str:
    """The page of a file outside docs/: an existing page, its API page, or a page with its text, added here."""
    if place in PAGES or place in cards():
        return page_of(place)
    package, _, rest = place.removeprefix("src/").partition("/")
    if place.startswith("src/") and rest.endswith(".py"):
        name = rest.removesuffix(".py").replace("/", ".")
        if name in api_modules(package):
            return api_page(name, package)
    if not (ROOT / place).is_file():
        raise PluginError(f"{place} is a folder: link to a file in it")
    page = f"source/{place}.md"
    if files.get_file_from_path(page) is None:
        language = LANGUAGES.get(PurePosixPath(place).suffix, "text")
        text = (ROOT / place).read_text(encoding="utf-8")
        content = f"---\nsearch:\n  exclude: true\n---\n# {place}\n\n````{language}\n{text}````\n"
        files.append(File.generated(config, page, content=content))
    return page
