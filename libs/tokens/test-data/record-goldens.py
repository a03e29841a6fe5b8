"""Records the goldens of libs/tokens with the reference implementations in Python.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 jinja2==3.1.6
    venv/bin/python libs/tokens/test-data/record-goldens.py

Writes encode-golden.jsonl (ids and texts of `tokenizers`) and chat-golden.jsonl (prompts of `jinja2`, set up as
transformers does) beside this file. Each has a line on how it was made, then a line per case.
"""

import json
import pathlib
from datetime import datetime

import jinja2
import jinja2.ext
import jinja2.sandbox
import tokenizers

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parents[2] / "test" / "data" / "models" / "llama"

TEXTS = [
    "", " ", "  ", "\n", "\r\n\t", "a", "Hello, world!", " leading and trailing ", "The capital of France is Paris.",
    "naïve café, Ærøskøbing, Straße, ﬁne", "e\u0301 against \u00e9, n\u0303", "Ω≈ç√∫˜µ≤≥÷", "Привет, мир", "שלום עולם",
    "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好，世界。", "こんにちは世界、カタカナ", "안녕하세요 세계", "𠜎𠜱𠝹 beyond the BMP",
    "🎉", "🎉🎊🥳", "👩‍👩‍👧‍👦 family", "👍🏽 skin", "🏳️‍🌈 flag 🇩🇪🇫🇷", "❤️", "0123456789", "3.14159 and 1,000,000", "½ ² ① ٠ ৪ Ⅷ",
    "x\u0000y", "\u0001\u0002\u001b[31mred\u001b[0m", "\u007f\u0080\u009f", "\ufeffBOM first", "zero\u200bwidth\u2060joiner\u00a0nbsp",
    "\u3000ideographic", "tabs\t\tand\t  blanks   x", "line\n\n\nline\n \n  line", "a" * 300, " " * 100, "ab " * 60,
    "don't I'll we've they're I'm he'd", "DON'T I'LL", "camelCaseAndSnake_case_and-kebab", "https://example.org/a?b=c&d=%20#e",
    'def f(x):\n    return x ** 2  # square\n', '{"key": [1, 2.5, null, true], "s": "\\u00e9"}', "<|bos|>", "<|user|>hi<|eos|>",
    "text<|assistant|> more <|eos|>", "<|unknown|>", "<| bos |>", "\ufffd replacement", "\U0010ffff last", "a\u0300\u0301\u0302\u0303 marks",
]

FUNCTION = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather at a place, in °C & “words” <now>",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}, "required": ["city"], "extra": []},
    },
}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "exact": True, "unit": None}}}]}
SYSTEM = {"role": "system", "content": "  Be brief. "}
USER = {"role": "user", "content": "What is the capital of France?"}
ASSISTANT = {"role": "assistant", "content": " The capital of France is Paris. \n"}
USER2 = {"role": "user", "content": "<b>\"Quoted\" & 'single' – 日本 🎉</b>\nsecond line\t"}
THOUGHT = {"role": "assistant", "content": "<think>\nEasy.\n</think>\n\nParis."}
TOOL = {"role": "tool", "tool_call_id": "c1", "content": "{\"degrees\": 21}"}

CHATS = {
    "one user": [USER],
    "system and user": [SYSTEM, USER],
    "three turns": [USER, ASSISTANT, USER2],
    "system and three turns": [SYSTEM, USER, ASSISTANT, USER2],
    "ends with the assistant": [USER, ASSISTANT],
    "empty content": [{"role": "user", "content": ""}],
    "two users in a row": [USER, USER2],
    "thought": [USER, THOUGHT, USER2],
    "tool call": [USER, CALL, TOOL],
}
VARIANTS = [
    {"add_generation_prompt": True},
    {"add_generation_prompt": False},
    {"add_generation_prompt": True, "tools": [FUNCTION]},
    {"add_generation_prompt": True, "enable_thinking": False},
]


def record_encodings():
    tokenizer = tokenizers.Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids), "decodedWithSpecial": tokenizer.decode(ids, skip_special_tokens=False)})
    return [{"tokenizers": tokenizers.__version__}, *cases]


def environment():
    """The environment of transformers' chat_template_utils: sandbox, white space, three functions, one filter."""
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: datetime(2026, 3, 5, 14, 7, 9).strftime(format)
    return env


def record_chats():
    env = environment()
    cases = []
    for path in sorted((HERE / "chat").glob("*.jinja")):
        template = env.from_string(path.read_text(encoding="utf-8"))
        for name, messages in CHATS.items():
            for variant in VARIANTS:
                if name == "tool call" and path.stem in ("chatml", "instruct", "turn"):
                    continue  # These know no tools and add None to a text.
                case = {"template": path.stem, "chat": name, **variant}
                try:
                    case["prompt"] = template.render(messages=messages, documents=None, bos_token="<s>", eos_token="</s>", **{"tools": None, **variant})
                except jinja2.exceptions.TemplateError as error:
                    case["raised"] = str(error)
                cases.append(case)
    setup = {"jinja2": jinja2.__version__, "now": "2026-03-05T14:07:09", "specialTokens": {"bos_token": "<s>", "eos_token": "</s>"}, "chats": CHATS}
    return [setup, *cases]


def write(name, lines):
    (HERE / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


write("encode-golden.jsonl", record_encodings())
write("chat-golden.jsonl", record_chats())
