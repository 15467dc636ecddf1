"""A local server that imitates OpenAI, vLLM, and the compatible endpoints of Anthropic and Google, with their failures.

The formats follow their public references, without copied text.
"""

from __future__ import annotations

import json

from test_judge_client import body


def reply(text: str | None, dialect: str = "openai", finish: str = "stop", thoughts: str = "", refusal: str | None = None,
          choices: int = 1) -> str:  # fmt: skip
    """A whole completion, with each maker's own fields."""
    message: dict = {"role": "assistant", "content": text}
    usage: dict = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
    answer: dict = {"id": "x", "object": "chat.completion", "created": 0}
    if dialect == "openai":
        message |= {"refusal": refusal, "annotations": []}
        usage |= {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 150}}
        answer |= {"model": "gpt-4o-2024-11-20", "service_tier": "default", "system_fingerprint": "fp"}
    elif dialect == "vllm":
        message |= {"reasoning": thoughts or None, "reasoning_content": thoughts or None, "tool_calls": []}
        answer |= {"model": "policy", "prompt_logprobs": None, "kv_transfer_params": None}
    elif dialect == "anthropic":
        answer |= {"model": "claude-sonnet-4-20250514", "system_fingerprint": None}
    elif dialect == "gemini":  # thoughts are only in the total
        usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1200}
        answer |= {"model": "gemini-2.5-pro"}
        if text is None:
            del message["content"]
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    others = [choice | {"index": i, "message": message | {"content": f"choice {i}"}} for i in range(1, choices)]
    return json.dumps(answer | {"choices": [choice, *others], "usage": usage})


def refused(dialect: str, status: int, words: str, **headers):
    """An error in each maker's format; Google's is in a list."""
    told = {"message": words, "type": "invalid_request_error", "param": None, "code": None}
    error: object = {"error": told}
    if dialect == "gemini":
        error = [{"error": {"code": status, "message": words, "status": "INVALID_ARGUMENT"}}]
    elif dialect == "vllm":
        error = {"object": "error", "message": words, "type": "BadRequestError", "param": None, "code": status}
    return body(json.dumps(error), status, **headers)


__all__ = ["body", "refused", "reply"]
