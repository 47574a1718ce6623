"""A store of work in one JSON file, as somebody else would write it: from the documentation of `polecat.Beads` alone."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from attrs import asdict

from polecat import AgentBead, AgentFields, Bead, BeadClosedError, BeadsError, BeadTakenError, Holdings, NotFoundError

URGENCY = ("hooked", "in_progress", "open")


class Row(TypedDict):
    """One bead as the file has it."""

    title: str
    status: str
    assignee: str
    labels: list[str]
    fields: dict[str, str]


class JsonBeads:
    """All beads in one file, read and written as a whole under a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self, bead_id: str, title: str = "") -> str:
        with self._writing() as rows:
            rows[bead_id] = Row(title=title, status="open", assignee="", labels=[], fields={})
        return bead_id

    # ------------------------------------------------------------------------------------------------------ agents

    def open_agent(self, bead_id: str, *, title: str, fields: AgentFields) -> AgentBead:
        values = asdict(fields)
        self._refuse_odd(values)
        with self._writing() as rows:
            if bead_id in rows:
                self._agent(rows, bead_id)
            rows[bead_id] = Row(title=title, status="open", assignee="", labels=["gt:agent"], fields=values)
            return self._agent(rows, bead_id)

    def close_agent(self, bead_id: str, *, reason: str) -> bool:
        with self._writing() as rows:
            if bead_id not in rows:
                return False
            self._agent(rows, bead_id)
            rows[bead_id]["status"] = "closed"
            rows[bead_id]["fields"].update(agent_state="closed", hook_bead="", active_mr="", cleanup_status="")
            return True

    def agent(self, bead_id: str) -> AgentBead | None:
        with self._writing() as rows:
            return self._agent(rows, bead_id) if bead_id in rows else None

    def update_agent(self, bead_id: str, **changes: str) -> AgentBead:
        AgentFields(**changes)
        self._refuse_odd(changes)
        with self._writing() as rows:
            self._row(rows, bead_id)
            self._agent(rows, bead_id)
            rows[bead_id]["fields"].update(changes)
            return self._agent(rows, bead_id)

    # -------------------------------------------------------------------------------------------------------- work

    def bead(self, bead_id: str) -> Bead | None:
        with self._writing() as rows:
            return self._bead(rows, bead_id) if bead_id in rows else None

    def held_by(self, assignee: str) -> tuple[Bead, ...]:
        with self._writing() as rows:
            beads = [self._bead(rows, bead_id) for bead_id in sorted(rows)]
        held = [bead for bead in beads if same(bead.assignee, assignee) and bead.status in URGENCY]
        return tuple(sorted(held, key=lambda bead: URGENCY.index(bead.status)))

    def holdings(self, agents: Mapping[str, str]) -> dict[str, Holdings | BeadsError]:
        answers: dict[str, Holdings | BeadsError] = {}
        for who, bead_id in agents.items():
            try:
                agent = self.agent(bead_id)
            except BeadsError as error:
                answers[who] = error
                continue
            hook = agent.fields.hook_bead if agent and agent.is_open else ""
            answers[who] = Holdings(held=self.held_by(who), agent=agent, named=self.bead(hook) if hook else None)
        return answers

    def hook(self, bead_id: str, *, assignee: str, expected: str | None = None) -> Bead:
        return self._give(bead_id, "hooked", assignee, expected)

    def assign(self, bead_id: str, *, assignee: str) -> Bead:
        return self._give(bead_id, "in_progress", assignee, None)

    def unassign(self, bead_id: str, *, expected: str) -> bool:
        with self._writing() as rows:
            if bead_id not in rows or not same(rows[bead_id]["assignee"], expected):
                return False
            rows[bead_id]["assignee"] = ""
            if rows[bead_id]["status"] in URGENCY:
                rows[bead_id]["status"] = "open"
            return True

    def set_status(self, bead_id: str, status: str) -> Bead:
        with self._writing() as rows:
            self._row(rows, bead_id)["status"] = status
            return self._bead(rows, bead_id)

    # ------------------------------------------------------------------------------------------------------ inside

    def _give(self, bead_id: str, status: str, assignee: str, expected: str | None) -> Bead:
        with self._writing() as rows:
            row = self._row(rows, bead_id)
            holder = row["assignee"]
            if row["status"] == "closed":
                raise BeadClosedError(f"{bead_id} is closed")
            if expected is not None and not same(holder, expected) and not same(holder, assignee):
                raise BeadTakenError(f"{bead_id} is held by {holder}", holder=holder)
            row["status"], row["assignee"] = status, assignee
            return self._bead(rows, bead_id)

    @staticmethod
    def _row(rows: dict[str, Row], bead_id: str) -> Row:
        if bead_id not in rows:
            raise NotFoundError(f"no bead {bead_id}")
        return rows[bead_id]

    @staticmethod
    def _bead(rows: dict[str, Row], bead_id: str) -> Bead:
        row = rows[bead_id]
        return Bead(id=bead_id, title=row["title"], status=row["status"], assignee=row["assignee"], labels=tuple(row["labels"]))

    @staticmethod
    def _agent(rows: dict[str, Row], bead_id: str) -> AgentBead:
        row = rows[bead_id]
        if "gt:agent" not in row["labels"]:
            raise BeadsError(f"{bead_id} is work")
        return AgentBead(id=bead_id, title=row["title"], fields=AgentFields(**row["fields"]), is_open=row["status"] != "closed")

    @staticmethod
    def _refuse_odd(values: dict[str, str]) -> None:
        for name, value in values.items():
            if "\n" in value:
                raise ValueError(f"{name} holds a line break")

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Row]]:
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            rows: dict[str, Row] = json.loads(self._path.read_text()) if self._path.exists() else {}
            yield rows
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps(rows))
            os.replace(draft, self._path)


def same(one: str, other: str) -> bool:
    """Whom ``a/polecats/b`` means, ``a/b`` means as well."""
    return one.replace("/polecats/", "/") == other.replace("/polecats/", "/")
