"""A client generated from proto/: unary and streaming. usage: grpc_client.py TARGET GENERATED_FOLDER"""
import json
import sys

import grpc

sys.path.insert(0, sys.argv[2])
from hydra.v1 import inference_pb2 as api  # noqa: E402
from hydra.v1 import inference_pb2_grpc as service  # noqa: E402

with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = service.InferenceStub(channel)
    request = api.CompletionRequest(model="default", prompts=[api.Prompt(text="Once upon a time")],
                                    options=api.GenerationOptions(max_tokens=8, seed=3))
    whole = stub.Complete(request, timeout=30)
    chunks = list(stub.StreamComplete(request, timeout=30))
    chat = api.ChatRequest(model="default", messages=[api.ChatMessage(role="user", content="Hello")],
                           options=api.GenerationOptions(max_tokens=4))
    answer = stub.Chat(chat, timeout=30)
    try:
        stub.Complete(api.CompletionRequest(model="nobody/none", prompts=[api.Prompt(text="x")]), timeout=30)
        refused = None
    except grpc.RpcError as error:
        refused = {"status": error.code().name, **{key: value for key, value in error.trailing_metadata() if key.startswith("hydra-")}}
    print(json.dumps({
        "whole": whole.choices[0].text,
        "streamed": "".join(choice.text for chunk in chunks for choice in chunk.choices),
        "completion_tokens": chunks[-1].usage.completion_tokens,
        "chat": answer.choices[0].message.content,
        "models": [model.id for model in stub.ListModels(api.ListModelsRequest(), timeout=30).models],
        "refused": refused,
    }))
