"""Records which keys of rank_pattern and alpha_pattern PEFT takes for which modules.

    python3 -m venv venv && venv/bin/pip install peft==0.21.2 transformers==5.24.0 torch==2.13.0
    venv/bin/python libs/models/test-data/record-module-patterns.py

Writes module-patterns.json beside this file: the version of peft, the names of modules, and for each set of keys the key of each module, or null.
"""

import json
import pathlib

import peft
from peft.utils.other import get_pattern_key

HERE = pathlib.Path(__file__).resolve().parent
MODULES = [f"model.layers.{layer}.{name}" for layer in (0, 1, 2, 10, 11, 21) for name in ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj")] + ["lm_head", "q_proj"]
KEYS = [
    ["q_proj"], ["proj"], ["self_attn.q_proj"], ["attn.q_proj"], ["model.layers.1.self_attn.q_proj"], ["layers.1.self_attn.q_proj"], ["1.self_attn.q_proj"],
    ["^model.layers.0.self_attn.q_proj"], ["^q_proj"], ["^layers.0.self_attn.q_proj"], ["q_proj$"], [r"layers\.1\.self_attn\.q_proj"], ["layersx1.self_attn.q_proj"],
    [".*q_proj"], [".*"], ["q.proj"], ["self.attn.q.proj"], [r".*\.[01]\..*"], ["layers.[01].*"], [r"layers\.(0|10)\.self_attn\.(q|v)_proj"], ["q_proj|v_proj"], ["layers.0.self_attn.q_proj|up_proj"],
    [r"layers\.\d\..*"], [r"layers\.\d{2}\..*"], [r"layers\.1?1\.mlp\..+"], ["(q|v)_proj", "q_proj"], ["up_proj", "mlp.up_proj"], ["nothing", "lm_head", ".*"], [r"(?:self_attn|mlp)\.\w+_proj"], [r"model\.layers\.[^2]\..*"],
    ["lm_.*"], [r"\bq_proj"], ["q_proj "], [""], ["(?P<name>up)_proj"], [r"layers\.(?:1[0-9]|2[0-9])\..*q_proj"], ["Q_PROJ"], ["(?i:Q_PROJ)"], [r".*layers\.1{1,2}\..*"],
]

sets = [{"keys": keys, "taken": [key if (key := get_pattern_key(keys, module)) in keys else None for module in MODULES]} for keys in KEYS]
lines = ",\n".join(json.dumps(one) for one in sets)
(HERE / "module-patterns.json").write_text(json.dumps({"peft": peft.__version__, "modules": MODULES})[:-1] + ', "sets": [\n' + lines + "\n]}\n", encoding="utf-8")
