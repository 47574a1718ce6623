"""Sessions without tmux, as somebody else would write them: pseudo-terminals of this process, from the documentation of `polecat.Tmux`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from polecat import (
    InvalidNameError,
    PaneStatus,
    Processes,
    Screen,
    Session,
    SessionExistsError,
    SessionNotFoundError,
    SessionRequest,
    StartedSession,
    TmuxError,
    TmuxUnreachableError,
    Typed,
    Watch,
)
from polecat.adapters import TmuxCli

KEYS = {"Enter": "\r", "Space": " "}


class Terminal:
    """One session: a program on a pseudo-terminal, and a thread that reads what it shows."""

    def __init__(self, number: int, request: SessionRequest) -> None:
        self.master, theirs = os.openpty()
        try:
            self.process = subprocess.Popen(
                request.argv,
                cwd=request.cwd,
                env={"TERM": "dumb", **request.environment},
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(self.master)
            raise TmuxError(f"cannot start session {request.name}: {error}") from error
        finally:
            os.close(theirs)
        self.session = Session(
            id=f"${number}",
            name=request.name,
            instance=request.instance,
            environment=request.session_environment,
            pane_id=f"%{number}",
            pane_pid=self.process.pid,
        )
        self.is_released = False
        self._is_ended_by_us = False
        self._shown = b""
        self.changed_at_s = int(time.time())
        self._on_exit, self._end_file = request.on_exit, request.end_file
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def is_dead(self) -> bool:
        return not self._reader.is_alive()

    @property
    def screen(self) -> str:
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n").rstrip()

    def status(self, watch: Watch) -> PaneStatus:
        is_dead, code = self.is_dead, self.process.returncode
        matched = tuple(any(re.search(pattern, line) for line in self.screen.split("\n")) for pattern in watch.patterns)
        if watch.release_on is not None and not is_dead and matched[watch.release_on] and sum(matched) == 1:
            self.is_released = True
        return PaneStatus(
            pane_id=watch.pane_id,
            is_dead=is_dead,
            exit_code=code if is_dead and code >= 0 else None,
            signal=-code if is_dead and code < 0 else None,
            matched=matched,
            is_released=self.is_released,
            screen=self.look(),
        )

    def look(self) -> Screen:
        lines = self._shown.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
        is_raw = not termios.tcgetattr(self.master)[3] & termios.ICANON
        return Screen(text=self.screen, cursor=(len(lines[-1]), len(lines) - 1), is_raw=is_raw, changed_at_s=self.changed_at_s)

    def type(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self.master, data) :]

    def _keep_end(self, path: Path, code: int) -> None:
        """Write it as the documentation of `SessionRequest` says."""
        status, number = ("", -code) if code < 0 else (code, "")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        draft = path.with_name(f"{path.name}.part")  # nobody must read half of it
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"status: {status}\nsignal: {number}\nat: {at}\n\n{self.screen}\n")
        draft.rename(path)

    def end(self) -> None:
        self._is_ended_by_us = True
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self._reader.join()
        os.close(self.master)

    def _read(self) -> None:
        try:
            while data := os.read(self.master, 65536):
                self._shown += data
                self.changed_at_s = int(time.time())
        except OSError:  # nobody has the other side open any more
            pass
        code = self.process.wait()
        self.session = evolve(self.session, exit_code=code if code >= 0 else None, signal=-code if code < 0 else None)
        if self._end_file is not None and not self._is_ended_by_us:
            self._keep_end(self._end_file, code)
        if self._on_exit:
            subprocess.run([*self._on_exit, *(("", str(-code)) if code < 0 else (str(code), ""))], check=False)


class PtyTmux:
    """Sessions that live as long as this object's process."""

    def __init__(self, *, is_reachable: bool = True) -> None:
        self._is_reachable = is_reachable
        self._terminals: dict[str, Terminal] = {}
        self._started = 0
        self._mutex = threading.RLock()

    @property
    def socket(self) -> str | None:
        return None

    @property
    def processes(self) -> Processes:
        return TmuxCli().processes

    def check(self) -> str:
        return "3.5"

    def list_sessions(self) -> tuple[Session, ...]:
        return tuple(evolve(one.session, is_dead=one.is_dead, active_at_s=one.changed_at_s) for one in self._there())

    def start(self, request: SessionRequest) -> StartedSession:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}", request.name):
            raise InvalidNameError("session", request.name, "is not a name")
        with self._mutex:
            if any(one.session.name == request.name for one in self._there()):
                raise SessionExistsError(f"there is a session {request.name}")
            new = Terminal(self._started, request)
            self._started += 1
            self._terminals[new.session.id] = new
        made = new.session
        return StartedSession(
            id=made.id,
            name=made.name,
            instance=made.instance,
            pane_id=made.pane_id,
            pane_pid=made.pane_pid,
            server_pid=os.getpid(),
        )

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        until_s = time.monotonic() + timeout_s
        while watches:
            statuses = tuple(map(self._status, watches))
            is_news = any(not s.exists or s.is_dead or any(s.matched) for s in statuses)
            if is_news or time.monotonic() >= until_s:
                return statuses
            time.sleep(0.005)
        return ()

    def release(self, session: StartedSession) -> bool:
        for one in self._there():
            if one.session.id == session.id and one.session.instance == session.instance and not one.is_dead:
                one.is_released = True
                return True
        return False

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        return self._pane(pane_id).screen

    def send_text(self, pane_id: str, text: str, *, instance: str = "", enter: bool = True, look_after_s: float = 0.0) -> Typed:
        return self._type(pane_id, instance, text + ("\r" if enter else ""), look_after_s)

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "", look_after_s: float = 0.0) -> Typed:
        return self._type(pane_id, instance, "".join(KEYS.get(key, key) for key in keys), look_after_s)

    def _type(self, pane_id: str, instance: str, text: str, look_after_s: float) -> Typed:
        one = self._typable(pane_id, instance)
        before = one.look()
        one.type(text)
        time.sleep(look_after_s)
        return Typed(before=before, after=one.status(Watch(pane_id=pane_id, instance=one.session.instance)))

    def at(self, socket_path: str) -> PtyTmux:
        return self  # there is one server: this process

    def kill(self, session_id: str, *, name: str, instance: str = "", pane_id: str = "") -> bool:
        with self._mutex:
            for one in self._there():
                found = one.session
                if pane_id and instance and (found.pane_id, found.instance) != (pane_id, instance):
                    continue
                if session_id in ("", found.id) and (found.instance == instance if instance else found.name == name):
                    if not session_id and found.name != name:
                        continue
                    del self._terminals[found.id]
                    one.end()
                    return True
        return False

    def rename(self, name: str, new_name: str) -> None:
        for one in self._there():
            if one.session.name == name:
                one.session = evolve(one.session, name=new_name)

    # ------------------------------------------------------------------------------------------------------ inside

    def _there(self) -> list[Terminal]:
        if not self._is_reachable:
            raise TmuxUnreachableError("told to")
        with self._mutex:
            for one in list(self._terminals.values()):
                if one.is_dead and one.is_released:
                    del self._terminals[one.session.id]
                    one.end()
            return list(self._terminals.values())

    def _pane(self, pane_id: str) -> Terminal:
        for one in self._there():
            if one.session.pane_id == pane_id:
                return one
        raise SessionNotFoundError(f"no pane {pane_id}")

    def _typable(self, pane_id: str, instance: str) -> Terminal:
        one = self._pane(pane_id)
        if one.is_dead or (instance and one.session.instance != instance):
            raise SessionNotFoundError(f"pane {pane_id} is dead or another's")
        return one

    def _status(self, watch: Watch) -> PaneStatus:
        for one in self._there():
            if one.session.pane_id == watch.pane_id and one.session.instance == watch.instance:
                return one.status(watch)
        return PaneStatus(pane_id=watch.pane_id, exists=False, matched=(False,) * len(watch.patterns))
