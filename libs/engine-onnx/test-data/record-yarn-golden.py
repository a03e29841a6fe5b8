"""Records the rotary frequencies and the factor of attention that transformers computes for YaRN.

    python3 -m venv venv && venv/bin/pip install transformers==5.24.0 torch==2.13.0
    venv/bin/python libs/engine-onnx/test-data/record-yarn-golden.py

Writes yarn-golden.json beside this file: versions, and for each configuration its inverse frequencies (float32) and attention factor.
"""

import json
import pathlib

import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

HERE = pathlib.Path(__file__).resolve().parent
# As of published models (Qwen2.5, Qwen3, gpt-oss, DeepSeek-V3), then one rule after the other.
CASES = [
    ({"factor": 4.0, "original_max_position_embeddings": 32768, "rope_theta": 1000000.0}, 128, 32768),
    ({"factor": 4.0, "original_max_position_embeddings": 32768, "rope_theta": 1000000.0, "attention_factor": 1.25}, 128, 131072),
    ({"factor": 32.0, "original_max_position_embeddings": 4096, "rope_theta": 150000.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False}, 64, 131072),
    ({"factor": 40, "original_max_position_embeddings": 4096, "rope_theta": 10000.0, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1}, 64, 163840),
    ({"factor": 40, "original_max_position_embeddings": 4096, "rope_theta": 10000.0, "mscale": 0.707, "mscale_all_dim": 1.0}, 64, 163840),
    ({"factor": 16.0, "original_max_position_embeddings": 2048, "rope_theta": 10000.0, "mscale": 0.707}, 128, 32768),
    ({"factor": 16.0, "original_max_position_embeddings": 2048, "rope_theta": 10000.0, "mscale": 0, "mscale_all_dim": 0, "beta_fast": 0, "beta_slow": 0}, 128, 32768),
    ({"factor": 8.0, "rope_theta": 500000.0}, 64, 8192),
    ({"factor": None, "original_max_position_embeddings": 4096, "rope_theta": 10000.0}, 64, 16384),
    ({"factor": 1.0, "original_max_position_embeddings": 2048, "rope_theta": 10000.0}, 64, 2048),
    ({"factor": 0.5, "original_max_position_embeddings": 2048, "rope_theta": 10000.0}, 64, 2048),
    ({"factor": 8.0, "original_max_position_embeddings": 64, "rope_theta": 10000.0, "beta_fast": 4.0}, 32, 512),
    ({"factor": 8.0, "original_max_position_embeddings": 64, "rope_theta": 10000.0, "beta_fast": 1.0, "beta_slow": 1.0, "truncate": False}, 32, 512),
    ({"factor": 8.0, "original_max_position_embeddings": 4, "rope_theta": 10000.0}, 32, 32),
    ({"factor": 8.0, "original_max_position_embeddings": 100000000, "rope_theta": 10000.0, "beta_slow": 0.001}, 32, 512),
    ({"factor": 4.0, "original_max_position_embeddings": 1000, "rope_theta": 1234.5, "beta_fast": 20.5, "beta_slow": 1.75}, 96, 4000),
]


def record(parameters, head_dim, context):
    parameters = {"rope_type": "yarn", **parameters}
    sizes = {"hidden_size": 4 * head_dim, "num_attention_heads": 4, "head_dim": head_dim, "max_position_embeddings": context}
    config = transformers.LlamaConfig(**sizes, rope_parameters=dict(parameters))
    frequencies, factor = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu")
    return {"rope_parameters": parameters, "head_dim": head_dim, "max_position_embeddings": context,
            "attention_factor": factor, "frequencies": [float(value) for value in frequencies]}


golden = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "cases": [record(*case) for case in CASES]}
lines = ",\n".join(json.dumps(case) for case in golden.pop("cases"))
head = json.dumps(golden)[1:-1]
(HERE / "yarn-golden.json").write_text("{" + head + ', "cases": [\n' + lines + "\n]}\n", encoding="utf-8")
