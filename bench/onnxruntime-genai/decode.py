"""ONNX Runtime GenAI on a model folder: one JSON request per line of stdin, one JSON answer per line of stdout.

    python decode.py MODEL_FOLDER THREADS

    {"promptTokenIds": [..], "rows": 8, "warmUpSteps": 2, "steps": 48} -> {"tokensPerSecond": 123.4}
"""

import json
import sys
import time

import numpy as np
import onnxruntime_genai as og


def load(folder: str, threads: int) -> og.Model:
    config = og.Config(folder)
    options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
    config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
    return og.Model(config)


def decode(model: og.Model, request: dict) -> dict:
    """Rows with the same prompt step together; what is timed is the model's run and the choice of the likeliest token."""
    prompt, rows, steps = request["promptTokenIds"], request["rows"], request["steps"]
    # The first token comes of the prompt's own run, without a step.
    length = len(prompt) + 1 + request["warmUpSteps"] + steps
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, batch_size=rows, min_length=length, max_length=length)
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.array([prompt] * rows, dtype=np.int32))
    for _ in range(1 + request["warmUpSteps"]):
        generator.generate_next_token()
    start = time.perf_counter()
    for _ in range(steps):
        generator.generate_next_token()
    seconds = time.perf_counter() - start
    if len(generator.get_sequence(0)) != length:
        raise RuntimeError("a sequence ended early")
    return {"tokensPerSecond": rows * steps / seconds}


def main() -> None:
    model = load(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"version": og.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(decode(model, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
