"""Makes test/data/models/bert, a random BERT of 2 layers, and the goldens of it and of all-MiniLM-L6-v2.

    python make-tiny-bert.py [FOLDER OF all-MiniLM-L6-v2]

Needs torch, transformers, tokenizers, safetensors. The vectors are what sentence-transformers computes: the mean of the
last hidden states over the tokens, scaled to length 1.
"""
import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, BertConfig, BertModel

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "bert"
SENTENCES = [
    "The cat sits on the mat.",
    "A feline is resting on a rug.",
    "Interest rates rose again in October.",
    "naïve Café, 東京 and 1,234.5 €!",
    "x",
    "Paris is the capital of France. " * 20,
]


def tokenizer() -> Tokenizer:
    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    words = ["the", "cat", "sits", "on", "mat", "a", "is", "of", "and", "in", "rose", "again", "paris", "rug"]
    pieces = ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + ["##ing", "##ed", "##er", "##al"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(dict.fromkeys(letters + words)) + pieces
    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.add_special_tokens(vocabulary[:5])
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


def goldens(model, encode, sentences) -> list:
    cases = []
    for text in sentences:
        ids = encode(text)
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(hidden.mean(dim=0), dim=0)
        cases.append({"text": text, "ids": ids, "vector": [round(v, 7) for v in vector.tolist()]})
    return cases


def write(path: pathlib.Path, cases: list) -> None:
    path.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")


torch.manual_seed(20261125)
text = tokenizer()
config = BertConfig(
    vocab_size=text.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
    intermediate_size=128, max_position_embeddings=256, initializer_range=0.3,
)
tiny = BertModel(config, add_pooling_layer=False).eval()
FOLDER.mkdir(exist_ok=True)
tiny.save_pretrained(FOLDER)
text.save(str(FOLDER / "tokenizer.json"))
(FOLDER / "tokenizer_config.json").write_text(json.dumps({"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}) + "\n")
(FOLDER / "1_Pooling").mkdir(exist_ok=True)
(FOLDER / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True}) + "\n")
write(FOLDER / "golden.json", goldens(tiny, lambda t: text.encode(t).ids[:256], SENTENCES[:5]))

if len(sys.argv) > 1:
    real = pathlib.Path(sys.argv[1])
    real_text = Tokenizer.from_file(str(real / "tokenizer.json"))
    real_text.no_truncation()
    real_text.no_padding()
    write(HERE.parent / "minilm-golden.json", goldens(AutoModel.from_pretrained(real).eval(), lambda t: real_text.encode(t).ids, SENTENCES))
