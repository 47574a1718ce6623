"""A pretend model server for real agents: it speaks four APIs, on the loopback address only, and remembers what users said.

Anthropic's messages, OpenAI's chat completions and responses, Gemini's generateContent; streamed or not. A text is answered with how
long it is. ``RUN: <command>`` makes the agent run a command in its shell, ``ASK: <command>`` one for which it has to ask; ``WAIT: <n>`` is answered
over n seconds.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from attrs import field, frozen

Json = dict[str, Any]
Event = tuple[str, Json | str]


@frozen(kw_only=True)
class PretendModel:
    """A running server.

    Attributes:
        url: where it is, without a path.
        requests: for each request so far, everything the user said in it, in order.
    """

    url: str
    requests: list[list[str]] = field(factory=list)

    def times_heard(self, text: str) -> int:
        """How often a text was said in one conversation: exactly this text, as one message or one part of one."""
        return max((said.count(text) for said in list(self.requests)), default=0)


@contextmanager
def pretend_model() -> Iterator[PretendModel]:
    """Run a server for the length of a block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    model = PretendModel(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.requests = model.requests  # type: ignore[attr-defined]  # where a handler finds it
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()


# --------------------------------------------------------------------------------------------------- what was asked


def said_in(body: Json) -> list[str]:
    """Everything the user said in a request, in order."""
    items = body.get("messages") or body.get("input") or body.get("contents") or []
    if isinstance(items, str):
        return [items]
    said: list[str] = []
    for item in items:
        if item.get("role", "user") == "user":
            content = item.get("content") or item.get("parts") or ()
            said += [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]
    return said


def _command(body: Json, said: list[str]) -> tuple[str, Json] | None:
    """The tool to call and its arguments, if the user asked for a command and it has not been run."""
    items = body.get("messages") or body.get("input") or body.get("contents") or [{}]
    last = json.dumps(items[-1]) if isinstance(items, list) else ""
    wanted = next((found for text in reversed(said[-3:]) if (found := re.match(r"(?:RUN|ASK): (.+)", text))), None)
    if wanted is None or re.search(r'tool_result|function_call_output|functionResponse|"role": "tool"', last):
        return None
    for tool in body.get("tools") or ():
        for one in tool.get("functionDeclarations") or [tool.get("function") or tool]:
            name = str(one.get("name", ""))
            if re.search(r"bash|shell|exec_command", name, re.IGNORECASE):
                schema = one.get("input_schema") or one.get("parameters") or one.get("parametersJsonSchema") or {}
                known = schema.get("properties") or {"command": {}}
                key = next((key for key in ("command", "cmd") if key in known), "command")
                value = ["bash", "-lc", wanted[1]] if known[key].get("type") == "array" else wanted[1]
                extra: Json = {"is_background": False} if "is_background" in known else {}
                if wanted[0].startswith("ASK") and "sandbox_permissions" in known:
                    extra |= {"sandbox_permissions": "require_escalated", "justification": "may it?"}
                return name, {key: value, "description": "run it", **extra}
    return None


# -------------------------------------------------------------------------------------------------- how it is answered


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._whole({})

    def do_GET(self) -> None:
        self._whole({"object": "list", "data": [{"id": "pretend-model", "object": "model", "created": 1, "owned_by": "nobody"}]})

    def do_POST(self) -> None:
        body = cast(Json, json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}"))
        said = said_in(body)
        cast(Any, self.server).requests.append(said)
        last, path = (said[-1] if said else ""), self.path.split("?")[0]
        call = _command(body, said)
        wait = re.match(r"WAIT: (\d+)", last)
        pieces = [f"tick {n} " for n in range(2 * int(wait[1]))] if wait and body.get("tools") else []
        answer = _Answer(pieces=[*pieces, f"heard {len(last)} characters"], call=call)
        if re.search(r"count_?tokens$", path, re.IGNORECASE):
            self._whole({"input_tokens": 1, "totalTokens": 1})
        elif path.endswith("/messages"):
            self._send(body.get("stream"), answer.anthropic())
        elif path.endswith("/responses"):
            self._send(body.get("stream"), answer.responses())
        elif path.endswith("/chat/completions"):
            self._send(body.get("stream"), answer.chat())
        elif "enerateContent" in path:
            if "json" in str((body.get("generationConfig") or {}).get("responseMimeType")):  # a question of Gemini CLI's own
                answer = _Answer(pieces=['{"reasoning": "none", "next_speaker": "user", "model_choice": "flash"}'])
            self._send("stream" in path, answer.gemini())
        else:
            self._whole({})

    def _send(self, is_streamed: object, answer: tuple[Json, list[Event]]) -> None:
        whole, events = answer
        if not is_streamed:
            self._whole(whole)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            if "tick " in text and "done" not in name and "stop" not in name:
                time.sleep(0.5)
            self.wfile.write(f"{f'event: {name}' + chr(10) if name else ''}data: {text}\n\n".encode())
            self.wfile.flush()

    def _whole(self, answer: Json) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@frozen(kw_only=True)
class _Answer:
    """An answer in the form of each API: whole, and as events."""

    pieces: list[str]
    call: tuple[str, Json] | None = None

    @property
    def _id(self) -> str:
        return str(time.time_ns())

    def anthropic(self) -> tuple[Json, list[Event]]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        base = {"id": f"msg_{self._id}", "type": "message", "role": "assistant", "model": "pretend-model", "usage": usage}
        if self.call:
            name, arguments = self.call
            block: Json = {"type": "tool_use", "id": f"toolu_{self._id}", "name": name, "input": arguments}
            empty: Json = {**block, "input": {}}
            deltas: list[Json] = [{"type": "input_json_delta", "partial_json": json.dumps(arguments)}]
        else:
            block = {"type": "text", "text": "".join(self.pieces)}
            empty, deltas = {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in self.pieces]
        reason = "tool_use" if self.call else "end_turn"
        events: list[Event] = [
            ("message_start", {"message": {**base, "content": [], "stop_reason": None}}),
            ("content_block_start", {"index": 0, "content_block": empty}),
            *(("content_block_delta", {"index": 0, "delta": delta}) for delta in deltas),
            ("content_block_stop", {"index": 0}),
            ("message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}),
            ("message_stop", {}),
        ]
        typed: list[Event] = [(name, {"type": name, **cast(Json, data)}) for name, data in events]
        return {**base, "content": [block], "stop_reason": reason}, typed

    def responses(self) -> tuple[Json, list[Event]]:
        text = "".join(self.pieces)
        item: Json
        if self.call:
            name, arguments = self.call
            call_id = f"call_{self._id}"
            item = {"type": "function_call", "id": "fc", "call_id": call_id, "name": name, "arguments": json.dumps(arguments)}
            begun, deltas = {**item, "arguments": ""}, []
        else:
            content = [{"type": "output_text", "text": text, "annotations": []}]
            item = {"type": "message", "id": "msg", "role": "assistant", "status": "completed", "content": content}
            begun, deltas = {**item, "content": [], "status": "in_progress"}, self.pieces
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        base = {"id": f"resp_{self._id}", "object": "response", "model": "pretend-model"}
        whole = {**base, "status": "completed", "output": [item], "usage": usage}
        at = {"output_index": 0, "content_index": 0, "item_id": "msg"}
        part = {"type": "output_text", "text": "", "annotations": []}
        events: list[Event] = [("response.created", {"response": {**base, "status": "in_progress", "output": []}})]
        events.append(("response.output_item.added", {"output_index": 0, "item": begun}))
        if not self.call:
            events.append(("response.content_part.added", {**at, "part": part}))
            events += [("response.output_text.delta", {**at, "delta": piece}) for piece in deltas]
            events.append(("response.output_text.done", {**at, "text": text}))
        events.append(("response.output_item.done", {"output_index": 0, "item": item}))
        events.append(("response.completed", {"response": whole}))
        return whole, [(name, {"type": name, **cast(Json, data)}) for name, data in events]

    def chat(self) -> tuple[Json, list[Event]]:
        base = {"id": f"chatcmpl-{self._id}", "created": int(time.time()), "model": "pretend-model"}
        message: Json = {"role": "assistant", "content": "".join(self.pieces)}
        deltas: list[Json] = [{"content": piece} for piece in self.pieces]
        if self.call:
            name, arguments = self.call
            function = {"name": name, "arguments": json.dumps(arguments)}
            calls = [{"index": 0, "id": f"call_{self._id}", "type": "function", "function": function}]
            message, deltas = {"role": "assistant", "content": None, "tool_calls": calls}, [{"tool_calls": calls}]
        reason = "tool_calls" if self.call else "stop"
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}

        def chunk(delta: Json, finish: str | None = None) -> Event:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return "", {**base, "object": "chat.completion.chunk", "choices": [choice]}

        end: list[Event] = [
            chunk({}, reason),
            ("", {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}),
            ("", "[DONE]"),
        ]
        choice = {"index": 0, "message": message, "finish_reason": reason}
        whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
        return whole, [chunk({"role": "assistant", "content": ""}), *map(chunk, deltas), *end]

    def gemini(self) -> tuple[Json, list[Event]]:
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}

        def chunk(part: Json, *, is_last: bool = False) -> Json:
            candidate = {
                "content": {"role": "model", "parts": [part]},
                "index": 0,
                **({"finishReason": "STOP"} if is_last else {}),
            }
            return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "pretend-model"}

        if self.call:
            name, arguments = self.call
            only = chunk({"functionCall": {"name": name, "args": arguments}}, is_last=True)
            return only, [("", only)]
        chunks = [*(chunk({"text": piece}) for piece in self.pieces), chunk({"text": ""}, is_last=True)]
        return chunk({"text": "".join(self.pieces)}, is_last=True), [("", one) for one in chunks]
