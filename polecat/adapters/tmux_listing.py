"""Listing the sessions of a server, beside other work. What is said to tmux, and how its answer is read, is in `tmux_list`."""

from __future__ import annotations

from polecat.adapters.tmux_list import ListCall, Listing, OwnCall, with_own
from polecat.adapters.tmux_server import TmuxServer
from polecat.adapters.tmux_words import chain, means_no_server
from polecat.ports import Session


class BegunListing:
    """A listing that is under way. Made by `polecat.adapters.tmux.TmuxCli.begin_listing`."""

    def __init__(self, server: TmuxServer) -> None:
        self._server = server
        self._call = ListCall()
        self._asking = server.begin(chain(self._call.commands()))

    def wait(self) -> tuple[Session, ...]:
        """Wait for its end. See `polecat.ports.Tmux.list_sessions`."""
        listing = self._first()
        if listing is None:
            return ()
        if not listing.unsure and not listing.has_lost:
            return listing.sessions
        call = OwnCall(sorted(listing.unsure), nudge=listing.has_lost)
        answer = self._server.run(["source-file", "-"], stdin=call.script())
        if means_no_server(answer.error_text):
            return ()
        try:
            return with_own(listing.sessions, call.read(answer.text))
        except ValueError as error:
            self._server.raise_unusable(answer, error)

    def cancel(self) -> None:
        """End it if it is still under way."""
        self._asking.cancel()

    def _first(self) -> Listing | None:
        answer = self._asking.wait()
        stderr = answer.error_text
        if answer.exit_code != 0 and means_no_server(stderr):
            self._server.is_running = False
            return None
        if stderr and stderr != "no current target":  # what listing panes says when there is no session
            self._server.raise_unusable(answer)
        try:
            listing = self._call.read(answer.text)
        except ValueError as error:
            self._server.raise_unusable(answer, error)
        self._server.version, self._server.is_running = listing.version, True
        return listing
