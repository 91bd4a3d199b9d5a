# SPDX-License-Identifier: MIT
"""scripts/docs builds the site, and finds links that lead nowhere, in the files and in the site.

    docs.py SOURCE_DIR WORK_DIR
"""

import shutil
import subprocess
import sys
from pathlib import Path

SKIP = 77


def main(source: Path, work: Path) -> int:
    """Exit status of the test."""
    done = subprocess.run(
        [source / "scripts/docs"], capture_output=True, text=True, check=False, timeout=100
    )
    print(done.stdout + done.stderr)
    if done.returncode:
        return done.returncode
    site = source / "build/docs/site"
    commands = (site / "docs/commands.html").read_text(encoding="utf-8")
    assert 'id="what-is-said-of-hashes"' in commands and "<table>" in commands
    assert (site / "index.html").exists() and (site / "examples/growing/index.html").exists()

    # The check must be one that can fail.
    sys.path.insert(0, str(source / "scripts"))
    import docs_site

    assert not docs_site.wrong_in_site(site)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "a.html").write_text(
        '<p id="here"><a href="a.html#here">1</a><a href="a.html#there">2</a>'
        '<a href="b.html">3</a><script src="https://example.org/x.js"></script>',
        encoding="utf-8",
    )
    said = docs_site.wrong_in_site(work)
    assert [line.split(": ")[1] for line in said] == [
        "a.html#there",
        "b.html",
        "https://example.org/x.js",
    ], said
    docs_site.ROOT = work
    for folder in ("docs", "tests", "examples"):
        (work / folder).mkdir()
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/README.md"):
        (work / name).write_text("# A\n\n[all](README.md)\n", encoding="utf-8")
    (work / "examples/README.md").write_text("# A\n\n[up](../README.md#a)\n", encoding="utf-8")
    page = "# One\n\n## Map `x`, y\n\n[1](a.md#map-x-y) [2](a.md#map-x) [3](b.md) `[4](c.md)`\n"
    (work / "docs/a.md").write_text(page + "\n    [5](d.md)\n", encoding="utf-8")
    said = docs_site.wrong_links()
    assert [line.split(": ")[1] for line in said] == ["a.md#map-x", "b.md"], said
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
