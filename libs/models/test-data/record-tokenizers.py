#!/usr/bin/env python3
"""Record token ids of reference tokenizers, for the tokenizers that we make from GGUF metadata.

usage: record-tokenizers.py SmolLM2-135M-Instruct.Q4_1.gguf     needs: gguf, tokenizers, sentencepiece
Writes tokenizers-golden.jsonl (small vocabularies, trained here, with the GGUF metadata that such a model would carry, and the
ids of diverse texts) and smollm2-tokenizer-golden.jsonl (the ids of the same texts with the vocabulary of the GGUF file).
Byte-level kinds are built with the tokenizers library as the hub's tokenizer.json of that family describes them; the
SentencePiece kind is encoded by sentencepiece itself.
"""
import io
import json
import os
import sys

import sentencepiece
import tokenizers
from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = [
    "", " ", "a", "Hello, world!", " leading blank", "trailing blank ", "two  blanks   three", "\ttab\t\ttabs",
    "line\nline\n\nline\r\nend\n", "   \n  indented\n    more\n", "don't, I'll, we've, it's, she'd, I'm, you're", "DON'T I'LL IT'S",
    "0 1 12 123 1234 12345 3.14159 1,000,000", "year2024v2", "½ ² ① ٠١٢ Ⅷ 一二三", "snake_case camelCase kebab-case",
    "def f(x):\n    return x ** 2  # squared\n", "{\"key\": [1, 2.5e-3, null], \"other\": \"a\\n\"}", "https://example.org/a?b=c&d=%20#e",
    "naïve café Ünïcödé", "e\u0301 is not \u00e9 until it is normalized", "ﬁ ligature", "Привет, мир! Как дела?", "你好，世界。今天天气怎么样？",
    "こんにちは世界", "안녕하세요 세계", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "😀 👩‍👩‍👧‍👦 🇩🇪 👍🏽", "zero\u200bwidth\u00a0nbsp\u3000ideographic", "\ufeffbom", "control \x01\x02\x7f end", "!!!???...---***", "$100 €200 £300 ¥400",
    "<b>bold</b> & <i>it</i>", "a" * 50, "ab" * 30, " " * 17 + "x", "\n" * 7, "<|end|>", "before<|end|>after", "x <|begin|> y", "<word>whole<word>",
    "The quick brown fox jumps over the lazy dog.", "In 1969, 2 people walked on the Moon; it took 8 days, 3 hours.",
    "🙂text🙂", "mixedЯзык語", "a\u0300b\u0301", "tab\tand\nnewline \n mix", "'quoted' \"double\" `tick`", "x=1;y=2;z=x+y", "C'est l'été", "ſs 'ſ 'S",
]
TRAINING = TEXTS + ["the model reads the words and the words make the model, again and again and again", "one two three four five six seven"] * 40


def words(digits):
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits +
               r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(pre, pre_tokenizer, normalizer=None, ignore_merges=False, bos=False):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizer
    if normalizer:
        tok.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(TRAINING, trainer)
    trained = json.loads(tok.to_str())["model"]
    tokens = sorted(trained["vocab"], key=trained["vocab"].get) + ["<word>"]
    merges = [" ".join(pair) for pair in trained["merges"]]
    if ignore_merges:  # a word that no merges lead to
        tokens.append("Ġthree")
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[tuple(m.split(" ")) for m in merges],
                               ignore_merges=ignore_merges))
    tok.pre_tokenizer = pre_tokenizer
    if normalizer:
        tok.normalizer = normalizer
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in tokens[:2]])
    tok.add_tokens([AddedToken("<word>", special=False, normalized=False)])
    types = [3, 3] + [1] * (len(tokens) - 2)
    types[tokens.index("<word>")] = 4
    ids = [([0] if bos else []) + tok.encode(text, add_special_tokens=False).ids for text in TEXTS]
    return {"metadata": {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens,
                         "tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": merges,
                         "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1},
            "ids": ids, "decoded": [tok.decode(row) for row in ids]}


def sentence_piece():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_writer=model, model_type="bpe", vocab_size=700, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True,
        split_digits=True, character_coverage=0.98, hard_vocab_limit=False, num_threads=1, minloglevel=2)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    count = sp.get_piece_size()
    kind = lambda i: 2 if sp.is_unknown(i) else 3 if sp.is_control(i) else 6 if sp.is_byte(i) else 1
    texts = [t for t in TEXTS if t]  # sentencepiece gives nothing for nothing, the hub's form a blank
    return {"metadata": {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": [sp.id_to_piece(i) for i in range(count)],
                         "tokenizer.ggml.scores": [sp.get_score(i) for i in range(count)],
                         "tokenizer.ggml.token_type": [kind(i) for i in range(count)], "tokenizer.ggml.bos_token_id": 1,
                         "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0},
            "texts": texts, "ids": [[1] + sp.encode(t) for t in texts], "decoded": [sp.decode(sp.encode(t)) for t in texts]}


def smollm2(path):
    reader = GGUFReader(path)
    field = lambda key: reader.fields[f"tokenizer.ggml.{key}"].contents()
    tokens, types = field("tokens"), field("token_type")
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)},
                               merges=[tuple(m.split(" ", 1)) for m in field("merges")]))
    tok.pre_tokenizer = digits_then_words()
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, types) if kind == 3])
    texts = TEXTS + ["<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|>x"]
    return [{"text": t, "ids": tok.encode(t, add_special_tokens=False).ids} for t in texts]


def digits_then_words():
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])


def dump(name, lines):
    with open(os.path.join(HERE, name), "w") as f:
        for line in lines:
            f.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    versions = {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}
    dump("tokenizers-golden.jsonl", [
        {"versions": versions, "texts": TEXTS},
        {"kind": "smollm", **byte_level("smollm", digits_then_words())},
        {"kind": "gpt-2", **byte_level("gpt-2", plain)},
        {"kind": "llama-bpe", **byte_level("llama-bpe", words(r"\p{N}{1,3}"), ignore_merges=True, bos=True)},
        {"kind": "qwen2", **byte_level("qwen2", words(r"\p{N}"), normalizer=normalizers.NFC())},
        {"kind": "sentencepiece", **sentence_piece()},
    ])
    dump("smollm2-tokenizer-golden.jsonl", [{"model": os.path.basename(sys.argv[1]), "versions": versions}, *smollm2(sys.argv[1])])
