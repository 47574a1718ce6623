"""Files of environment variables: ``KEY=VALUE``, one a line. Pure but for `load_env_file`.

Values are secrets more often than not: no error here ever shows one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from polecat.errors import ConfigError, InvalidNameError
from polecat.names import check_env_key


def parse_env(text: str, path: Path) -> dict[str, str]:
    r"""Read a file of variables.

    Blank lines and lines that start with ``#`` are skipped, ``export`` in front of a name too. The value is the rest of the line as it
    stands; one pair of quotation marks round all of it is taken off. Nothing is expanded. The last of several wins.

    Args:
        text: the file's text.
        path: the file, for errors.

    Raises:
        ConfigError: a line is something else; the error names the line, never the value.

    Examples:
        >>> parse_env('# mine\nexport A=1\nB="two words"\nC=$HOME\n', Path("x"))
        {'A': '1', 'B': 'two words', 'C': '$HOME'}
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.strip(" \t\r")
        if not words or words.startswith("#"):
            continue
        key, equals, value = words.removeprefix("export ").partition("=")
        key, value = key.strip(" \t"), value.strip(" \t")
        try:
            check_env_key(key)
        except InvalidNameError:
            raise ConfigError(path, "is not KEY=VALUE: what stands in front of the '=' is no name", line=number) from None
        if not equals:
            raise ConfigError(path, f"is not KEY=VALUE: {key!r} has no '='", line=number)
        if "\0" in value:
            raise ConfigError(path, f"holds a NUL, which no variable can: {key!r}", line=number)
        found[key] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found


def load_env_file(path: Path) -> dict[str, str]:
    """Read a file of variables; ``-`` is stdin.

    Raises:
        ConfigError: it cannot be read, or is not such a file.
    """
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return parse_env(data.decode("utf-8"), path)
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ConfigError(path, "is not UTF-8 text") from None
