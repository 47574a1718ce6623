"""Which account an agent is started with. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from polecat.documents import Accounts
from polecat.errors import AccountNotFoundError
from polecat.names import nearest


def resolve_account(accounts: Accounts, *, flag: str = "", environ: Mapping[str, str]) -> tuple[str, str]:
    """Resolve the account of a spawn: ``GT_ACCOUNT``, then the one asked for, then the default one.

    Args:
        accounts: the town's accounts.
        flag: the handle asked for; empty for none.
        environ: the caller's environment; a leading ``~/`` stands for its ``HOME``.

    Returns:
        The configuration directory and the handle, both empty if there is no account.

    Raises:
        AccountNotFoundError: a handle was asked for and there is no such account.

    Source:
        Contract §13.1; design §6, deviation 5.
    """
    from_env = environ.get("GT_ACCOUNT", "")
    handle = from_env or flag or accounts.default
    account = accounts.accounts.get(handle)
    if account is None:
        if not from_env and not flag:
            return "", ""
        raise _unknown_account(accounts, handle, "GT_ACCOUNT names" if from_env else "")
    directory = account.config_dir
    if directory.startswith("~/"):
        directory = posixpath.normpath(posixpath.join(environ.get("HOME", ""), directory[2:]))
    return directory, handle


def _unknown_account(accounts: Accounts, handle: str, by: str) -> AccountNotFoundError:
    known = tuple(accounts.accounts)
    there = f"known: {', '.join(known)}" if known else "there are none" if accounts.exists else "there is no such file"
    meant = nearest(handle, known)
    return AccountNotFoundError(
        f"no account {handle!r}{f', which {by}' if by else ''} in {accounts.path}; {there}",
        known=known,
        hint=f"did you mean {meant!r}?" if meant else "add it to that file, or name one that is in it",
    )
