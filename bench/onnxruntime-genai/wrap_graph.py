"""Makes a compiled decoder loadable by ONNX Runtime GenAI: the same nodes and the same weights, behind nodes that make
its inputs of those that GenAI gives, and a configuration.

    python wrap_graph.py COMPILED_FOLDER OUTPUT_FOLDER

GenAI gives `input_ids` [B, S] and `attention_mask` [B, positions], both int64, and wants logits [B, 1, V]; ours are
described in libs/engine-onnx/src/runtime/decoder-graph.ts. KV is extended in place in both.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUR_STEP_INPUTS = ("last_index", "seqlens_k", "total_len")


def wrap(graph: onnx.GraphProto) -> None:
    logits = next(output for output in graph.output if output.name == "logits")
    for node in graph.node:
        node.output[:] = ["logits_of_rows" if name == "logits" else name for name in node.output]
    kept = [each for each in graph.input if each.name not in OUR_STEP_INPUTS]
    del graph.input[:]
    graph.input.extend(kept)
    graph.input.append(helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["B", "positions"]))
    vocabulary = logits.type.tensor_type.shape.dim[1].dim_value
    graph.output.remove(logits)
    graph.output.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 1, vocabulary]))

    for name, value in {"genai_0": 0, "genai_1": 1}.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "genai_axis_1"))

    op = helper.make_node
    before = [
        op("ReduceSum", ["attention_mask", "genai_axis_1"], ["genai_lengths"], keepdims=0),
        op("Sub", ["genai_lengths", "genai_1"], ["genai_lengths_less_1"]),
        op("Cast", ["genai_lengths_less_1"], ["seqlens_k"], to=TensorProto.INT32),
        op("Shape", ["attention_mask"], ["genai_mask_shape"]),
        op("Gather", ["genai_mask_shape", "genai_1"], ["genai_positions"]),
        op("Cast", ["genai_positions"], ["total_len"], to=TensorProto.INT32),
        # The last token of each sequence: (0 .. B - 1) × S + S - 1.
        op("Shape", ["input_ids"], ["genai_shape"]),
        op("Gather", ["genai_shape", "genai_0"], ["genai_sequences"]),
        op("Gather", ["genai_shape", "genai_1"], ["genai_tokens"]),
        op("Range", ["genai_0", "genai_sequences", "genai_1"], ["genai_numbers"]),
        op("Add", ["genai_numbers", "genai_1"], ["genai_numbers_from_1"]),
        op("Mul", ["genai_numbers_from_1", "genai_tokens"], ["genai_ends"]),
        op("Sub", ["genai_ends", "genai_1"], ["last_index"]),
    ]
    nodes = [*before, *graph.node, op("Unsqueeze", ["logits_of_rows", "genai_axis_1"], ["logits"])]
    del graph.node[:]
    graph.node.extend(nodes)


def configuration(manifest: dict) -> dict:
    return {
        "model": {
            "type": "llama",
            "bos_token_id": manifest["eosTokenIds"][0],
            "eos_token_id": manifest["eosTokenIds"],
            "pad_token_id": manifest["eosTokenIds"][0],
            "context_length": manifest["contextTokens"],
            "vocab_size": manifest["vocabularySize"],
            "decoder": {
                "session_options": {"provider_options": []},
                "filename": "model.onnx",
                "head_size": manifest["headDim"],
                "hidden_size": manifest["headDim"],  # of no use to GenAI beside the two others
                "num_attention_heads": manifest["kvHeads"],
                "num_key_value_heads": manifest["kvHeads"],
                "num_hidden_layers": manifest["layers"],
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "past_key_names": "past_key_%d",
                    "past_value_names": "past_value_%d",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present_key_%d",
                    "present_value_names": "present_value_%d",
                },
            },
        },
        "search": {"max_length": manifest["contextTokens"], "past_present_share_buffer": True},
    }


def main(compiled: Path, output: Path) -> None:
    manifest = json.loads((compiled / "manifest.json").read_text())
    graph_file = "decode.onnx" if "decode" in manifest else "model.onnx"
    model = onnx.load(compiled / graph_file, load_external_data=False)
    wrap(model.graph)
    output.mkdir(parents=True, exist_ok=True)
    weights = output / "weights.bin"
    weights.unlink(missing_ok=True)
    shutil.copyfile(compiled / "weights.bin", weights)  # ONNX Runtime follows no link out of the folder
    onnx.save(model, output / "model.onnx")
    (output / "genai_config.json").write_text(json.dumps(configuration(manifest), indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
