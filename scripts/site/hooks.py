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
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
PACKAGES = {"sem_field_ros": "The core and its ROS 2 nodes", "sem_field_synth": "Generators of labelled data"}
NOT_API = {"nodes", "commands", "cli", "cli_reference"}  # ros_api.md and cli.md describe these
PAGES = {"README.md": "readme.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
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
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("|", "\\|")


def api_modules(package: str) -> dict[str, Path]:
    """Every public module of a package, by its dotted name below `package`."""
    modules = {}
    for path in sorted((SOURCES / package).rglob("*.py")):
        parts = path.relative_to(SOURCES / package).with_suffix("").parts
        if parts[0] not in NOT_API and not any(part.startswith("_") for part in parts):
            modules[".".join(parts)] = path
    return modules


def api_page(name: str, package: str) -> str:
    return f"api/{package}/{name.replace('.', '/')}.md"


def api_index() -> str:
    """Tables of all modules, folder by folder."""
    lines: list[str] = []
    for package, title in PACKAGES.items():
        lines += ["", f"## {package}", "", title + "."]
        modules = api_modules(package)
        for folder in sorted({name.rpartition(".")[0] for name in modules}):
            if folder:
                init = SOURCES / package / folder.replace(".", "/") / "__init__.py"
                lines += ["", f"### {folder} {{#{package}.{folder}}}", "", summary(init)]
            lines += ["", "| module | |", "|---|---|"]
            for name, path in modules.items():
                if name.rpartition(".")[0] == folder:
                    link = api_page(name, package).removeprefix("api/")
                    lines.append(f"| [`{name}`]({link}) | {summary(path)} |")
    return "\n".join(lines) + "\n"


def api_nav() -> list[Any]:
    """The reference in the navigation: modules under their folders."""
    nav: list[Any] = ["api/index.md"]
    for package in PACKAGES:
        tree: dict[str, Any] = {}
        for name in api_modules(package):
            *folders, last = name.split(".")
            place = tree
            for folder in folders:
                place = place.setdefault(folder, {})
            place[last] = api_page(name, package)
        nav.append({package: as_nav(tree)})
    return nav


def as_nav(tree: dict[str, Any]) -> list[Any]:
    return [{name: as_nav(value) if isinstance(value, dict) else value} for name, value in tree.items()]


# --- what MkDocs calls -----------------------------------------------------------------------------------------------
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages where mkdocs.yml names their folders."""
    generated = {"api/": api_nav(), "models/": [{card.split("/")[1]: page_of(card)} for card in cards()]}
    for section in config.nav or []:
        for entries in section.values():
            for entry in entries if isinstance(entries, list) else ():
                for title, target in entry.items():
                    entry[title] = generated.get(target, target)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/ and replace the links of those that are."""
    for path in (*PAGES, *cards()):
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page_of(path), content=moved(text, path, files, config)))
    for package in PACKAGES:
        for name in api_modules(package):
            text = f"# {name}\n\n::: {package}.{name}\n"
            files.append(File.generated(config, api_page(name, package), content=text))
    for file in list(files.documentation_pages()):
        if file.generated_by is None:
            text = Path(file.abs_src_path or "").read_text(encoding="utf-8")
            text = moved(text, f"docs/{file.src_uri}", files, config)
            files.remove(file)
            text += api_index() if file.src_uri == "api/index.md" else ""
            files.append(File.generated(config, file.src_uri, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **kwargs: Any) -> None:
    """The home page has no sections of its own: without an empty column for them."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]


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
    file, _, anchor = target.partition("#")
    place = os.path.normpath((PurePosixPath(path).parent / file).as_posix())
    if not (ROOT / place).exists():
        raise PluginError(f"{path} links to {target}, which does not exist")
    page = place.removeprefix("docs/") if place.startswith("docs/") else repository_page(place, files, config)
    page, _, inner = page.partition("#")
    link = os.path.relpath(page, PurePosixPath(page_of(path)).parent.as_posix() or ".")
    return f"{link}#{anchor or inner}" if anchor or inner else link


def repository_page(place: str, files: Files, config: MkDocsConfig) -> str:
    """The page of a file outside docs/: an existing page, its API page, or a page with its text, added here.

    A folder of modules leads to its place in the list of all.
    """
    if place in PAGES or place in cards():
        return page_of(place)
    package, _, rest = place.removeprefix("src/").partition("/")
    if place.startswith("src/") and rest.endswith(".py"):
        name = rest.removesuffix(".py").replace("/", ".")
        if name in api_modules(package):
            return api_page(name, package)
    if (ROOT / place).is_dir():
        return "api/index.md#" + ".".join(PurePosixPath(place).parts[1:])
    page = f"source/{place}.md"
    if files.get_file_from_path(page) is None:
        language = LANGUAGES.get(PurePosixPath(place).suffix, "text")
        text = (ROOT / place).read_text(encoding="utf-8").rstrip() + "\n"
        content = f"---\nsearch:\n  exclude: true\n---\n# {place}\n\n````{language}\n{text}````\n"
        files.append(File.generated(config, page, content=content))
    return page
