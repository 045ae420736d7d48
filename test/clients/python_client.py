"""The official OpenAI SDK for Python against a running gateway.

Arguments: base URL up to /v1, API key, model. Prints one JSON object with what it saw.
"""

import json
import sys

from openai import OpenAI, AuthenticationError, NotFoundError


def main() -> None:
    base_url, api_key, model = sys.argv[1:4]
    client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
    messages = [{"role": "user", "content": "Echo: the quick brown fox"}]

    raw = client.chat.completions.with_raw_response.create(model=model, messages=messages)
    whole = raw.parse()

    chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True))
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]

    print(
        json.dumps(
            {
                "whole": {
                    "id": whole.id,
                    "headerId": raw.headers.get("x-generation-id"),
                    "text": whole.choices[0].message.content,
                    "finishReason": whole.choices[0].finish_reason,
                    "usage": whole.usage.model_dump(),
                },
                "stream": {
                    "ids": sorted({chunk.id for chunk in chunks}),
                    "text": "".join(
                        chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices
                    ),
                    "usages": [usage.model_dump() for usage in usages],
                },
                "badKey": refusal(
                    AuthenticationError,
                    lambda: OpenAI(
                        base_url=base_url, api_key="sk-custos-no", max_retries=0
                    ).chat.completions.create(model=model, messages=messages),
                ),
                "unknownModel": refusal(
                    NotFoundError,
                    lambda: client.chat.completions.create(
                        model="nobody/nothing", messages=messages
                    ),
                ),
            }
        )
    )


def refusal(expected, call):
    """The status of the refusal the call must meet."""
    try:
        call()
    except expected as error:
        return error.status_code
    return None


main()
