"""The official Python client: a chat, whole and streamed, and an error. usage: openai_client.py BASE_URL"""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "user", "content": "Say something."}]
whole = client.chat.completions.create(model="default", messages=messages, max_tokens=8, seed=3)
pieces, usage = [], None
for chunk in client.chat.completions.create(model="default", messages=messages, max_tokens=8, seed=3, stream=True,
                                            stream_options={"include_usage": True}):
    pieces += [choice.delta.content or "" for choice in chunk.choices]
    usage = chunk.usage or usage
try:
    client.chat.completions.create(model="default", messages=messages, temperature=-3)
    error = None
except openai.BadRequestError as refused:
    error = {"param": refused.param, "type": refused.type}
print(json.dumps({"whole": whole.choices[0].message.content, "streamed": "".join(pieces),
                  "completion_tokens": usage.completion_tokens, "error": error}))
