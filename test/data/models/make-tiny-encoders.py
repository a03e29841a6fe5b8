"""Makes the tiny random encoders beside this file, one for each family, and the goldens of them and of all-MiniLM-L6-v2.

    python make-tiny-encoders.py tiny              # distilbert, roberta, xlm-roberta, camembert, mpnet
    python make-tiny-encoders.py bert              # the first one, with transformers alone
    python make-tiny-encoders.py minilm FOLDER     # FOLDER of all-MiniLM-L6-v2

Made with torch 2.15.0, transformers 5.24.0, tokenizers 0.23.3, safetensors 0.8.0 and sentence-transformers 6.2.0. Each
golden has token ids, and the text where they came from one. The vectors of bert and MiniLM are the mean of the last hidden
states, scaled to length 1; the others are what sentence-transformers computes from the very files that are tested, in
float32, one input at a time.
"""
import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (AutoModel, BertConfig, BertModel, CamembertConfig, CamembertModel, DistilBertConfig,
                          DistilBertModel, MPNetConfig, MPNetModel, RobertaConfig, RobertaModel, XLMRobertaConfig,
                          XLMRobertaModel)

HERE = pathlib.Path(__file__).parent
SENTENCES = [
    "The cat sits on the mat.",
    "A feline is resting on a rug.",
    "Interest rates rose again in October.",
    "naïve Café, 東京 and 1,234.5 €!",
    "x",
    "Paris is the capital of France. " * 20,
]
CONTEXT = 160
PAD = 1


def word_pieces(special: list, lowercase: bool) -> Tokenizer:
    """BERT's kind. `special`: pad, unknown, first, last, mask, in the order of their ids."""
    letters = [chr(c) for c in range(33, 127) if not (lowercase and chr(c).isupper())]
    words = ["the", "cat", "sits", "on", "mat", "a", "is", "of", "and", "in", "rose", "again", "paris", "rug"]
    pieces = ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + ["##ing", "##ed", "##er", "##al"]
    vocabulary = special + list(dict.fromkeys(letters + words)) + pieces
    unknown, first, last = (next(s for s in special if name in s.lower()) for name in ("unk", "cls", "sep"))
    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token=unknown))
    made.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.add_special_tokens(special)
    return framed(made, first, last)


def byte_pairs() -> Tokenizer:
    """RoBERTa's kind."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(SENTENCES, trainer)
    return framed(made, "<s>", "</s>")


def unigrams() -> Tokenizer:
    """XLM-RoBERTa's and CamemBERT's kind."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made.train_from_iterator(SENTENCES, trainers.UnigramTrainer(vocab_size=90, special_tokens=special, unk_token="<unk>"))
    return framed(made, "<s>", "</s>")


def framed(made: Tokenizer, first: str, last: str) -> Tokenizer:
    ids = [(name, made.token_to_id(name)) for name in (first, last)]
    made.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ids)
    return made


def save_tiny(name: str, model, text: Tokenizer, tokenizer_config: dict, pooling: str, normalizes: bool, sentence: dict) -> None:
    """Weights, tokenizer, and the files that sentence-transformers writes. Biases and scales are random too."""
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.dim() == 1:
                value.normal_(1.0 if "norm" in key.lower() and key.endswith("weight") else 0.0, 0.2)
            elif "embeddings" in key:
                value.normal_(0.0, 0.3)  # also the rows that fill up
    model.eval().save_pretrained(folder)
    text.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **tokenizer_config})
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")] + ([("2_Normalize", "Normalize")] if normalizes else [])
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ])
    switches = {mode: mode.startswith(f"pooling_mode_{pooling}_") for mode in
                ("pooling_mode_cls_token", "pooling_mode_mean_tokens", "pooling_mode_max_tokens")}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": model.config.hidden_size, **switches})
    write_json(folder / "sentence_bert_config.json", {"do_lower_case": False, **sentence})
    write_goldens(folder / "golden.json", sentence_goldens(folder, text, model.config))


def sentence_goldens(folder: pathlib.Path, text: Tokenizer, config) -> list:
    from sentence_transformers import SentenceTransformer

    sentences = SentenceTransformer(str(folder), device="cpu")
    longest = min(CONTEXT, sentences.max_seq_length or CONTEXT)
    inputs = [(sentence, text.encode(sentence).ids) for sentence in SENTENCES[:5]]
    inputs.append((None, torch.randint(5, config.vocab_size, (longest,)).tolist()))
    if folder.name != "distilbert":
        inputs.append((None, [0, 7, PAD, 8, PAD, PAD, 9, 2]))  # what fills up, in the middle of a text
    cases = []
    for sentence, ids in inputs:
        features = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
        with torch.no_grad():
            vector = sentences(features)["sentence_embedding"][0]
        cases.append({**({} if sentence is None else {"text": sentence}), "ids": ids, "vector": rounded(vector)})
    return cases


def mean_goldens(model, encode, sentences) -> list:
    cases = []
    for text in sentences:
        ids = encode(text)
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(hidden.mean(dim=0), dim=0)
        cases.append({"text": text, "ids": ids, "vector": rounded(vector)})
    return cases


def rounded(vector) -> list:
    return [round(v, 7) for v in vector.tolist()]


def write_goldens(path: pathlib.Path, cases: list) -> None:
    path.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")


def write_json(path: pathlib.Path, value) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def make_bert() -> None:
    torch.manual_seed(20261125)
    folder = HERE / "bert"
    text = word_pieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], lowercase=True)
    config = BertConfig(
        vocab_size=text.get_vocab_size(), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=256, initializer_range=0.3,
    )
    tiny = BertModel(config, add_pooling_layer=False).eval()
    folder.mkdir(exist_ok=True)
    tiny.save_pretrained(folder)
    text.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}) + "\n")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True}) + "\n")
    write_goldens(folder / "golden.json", mean_goldens(tiny, lambda t: text.encode(t).ids[:256], SENTENCES[:5]))


def make_tiny() -> None:
    torch.manual_seed(20261128)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    behind_pad = {**shape, "max_position_embeddings": CONTEXT + PAD + 1, "pad_token_id": PAD, "initializer_range": 0.3}
    frame = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

    text = word_pieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], lowercase=False)
    config = DistilBertConfig(vocab_size=text.get_vocab_size(), dim=32, n_layers=2, n_heads=4, hidden_dim=64,
                              max_position_embeddings=CONTEXT, initializer_range=0.3)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "do_lower_case": False}
    save_tiny("distilbert", DistilBertModel(config), text, names, "mean", False, {"max_seq_length": None})

    text = byte_pairs()
    config = RobertaConfig(vocab_size=text.get_vocab_size(), type_vocab_size=1, **behind_pad)
    save_tiny("roberta", RobertaModel(config, add_pooling_layer=False), text, frame, "cls", True, {"max_seq_length": 128})

    text = unigrams()
    config = XLMRobertaConfig(vocab_size=text.get_vocab_size(), type_vocab_size=1, **behind_pad)
    save_tiny("xlm-roberta", XLMRobertaModel(config, add_pooling_layer=False), text, frame, "max", True, {"max_seq_length": CONTEXT})

    config = CamembertConfig(vocab_size=text.get_vocab_size(), type_vocab_size=1, **behind_pad)
    save_tiny("camembert", CamembertModel(config, add_pooling_layer=False), text, frame, "cls", False, {"max_seq_length": CONTEXT})

    text = word_pieces(["<cls>", "<pad>", "<sep>", "[UNK]", "<mask>"], lowercase=True)
    config = MPNetConfig(vocab_size=text.get_vocab_size(), **behind_pad)
    names = {"cls_token": "<cls>", "sep_token": "<sep>", "pad_token": "<pad>", "unk_token": "[UNK]", "do_lower_case": True}
    save_tiny("mpnet", MPNetModel(config, add_pooling_layer=False), text, names, "mean", True, {"max_seq_length": CONTEXT})


def make_minilm(folder: pathlib.Path) -> None:
    text = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text.no_truncation()
    text.no_padding()
    model = AutoModel.from_pretrained(folder).eval()
    write_goldens(HERE.parent / "minilm-golden.json", mean_goldens(model, lambda t: text.encode(t).ids, SENTENCES))


match sys.argv[1:]:
    case ["bert"]:
        make_bert()
    case ["tiny"]:
        make_tiny()
    case ["minilm", folder]:
        make_minilm(pathlib.Path(folder))
    case _:
        sys.exit(__doc__)
