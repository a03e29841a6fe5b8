"""Records the goldens of libs/tokens with the reference implementations in Python.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 jinja2==3.1.6
    venv/bin/python libs/tokens/test-data/record-goldens.py

Writes encode-golden.jsonl (ids and texts of `tokenizers`) and chat-golden.jsonl (prompts of `jinja2`, set up as
transformers does) and template-golden.jsonl (small templates, for the rules of Python) beside this file. Each has a line on how it was made, then a line per case.
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


TEMPLATES = [
    "{{ none }} {{ true }} {{ [1, 'a', none, 2.0] }} {{ {'a': {'b': 1.5}} }} {{ ('x',) }} {{ () }}", "{{ none | string }}", "{{ missing }}|{{ missing | upper }}|{{ missing | trim }}|{{ missing | length }}",
    "{{ missing.field }}", "{{ messages[0].nothing }}|", "{{ messages[0].nothing.more }}", "{{ messages[9] }}|", "{{ 'x' if missing }}|",
    "{{ '\\n x \\n'.lstrip('\\n') }}|{{ '--a--'.strip('-') }}|{{ 'abcc'.rstrip('c') }}|{{ ' a '.strip() }}|", "{{ '--a--' | trim('-') }}",
    "{{ '' == false }} {{ 0 == '' }} {{ '1' == 1 }} {{ 1 == true }} {{ 1 == 1.0 }} {{ none == missing }} {{ none == false }}",
    "{{ [1] == [1] }} {{ {'a': [1]} == {'a': [1]} }} {{ [1] == (1,) }} {{ [1] != [2] }}", "{{ 'a' + {'b': 1} }}", "{{ 'a' + [1] }}", "{{ 'a' + 1 }}", "{{ 'a' + none }}", "{{ 'a' ~ none ~ 1 ~ [1] }}",
    "a\r\n{% if true %}\r\nb\r\n{% endif %}\r\n", "{{ -7 % 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 3 }} {{ 1 + true }} {{ 1e-7 }} {{ 1e20 }} {{ 1_000 }} {{ 0.1 + 0.2 }}", "{{ 1 / 0 }}",
    "{{ '😀' | length }} {{ '😀a'[0] }} {{ '😀a' | reverse }} {{ 'abc'[::-1] }} {{ 'abc'[-2:] }} {{ [1, 2, 3][:2] }}", "{{ 'a bC'.title() }} {{ 'aB cD'.capitalize() }} {{ \"it's a-b\" | title }}",
    "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ (1 == 2) != (1 == 1) }} {{ 'a' < 'b' }} {{ 2 in [1, 2] }} {{ 'a' not in {'a': 1} }}", "{{ 1 < 'a' }}",
    "{% for c in 'abc' %}{{ c }}{{ loop.cycle('x', 'y') }}{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }};{% endfor %}", "{% for k, v in {'a': none}.items() %}{{ k }}={{ v }}{% endfor %}",
    "{% set x = 0 %}{% for i in [1, 2] %}{{ x }}{% set x = i %}{% endfor %}{{ x }}", "{% for i in range(5) if i % 2 %}{{ loop.index }}{{ loop.previtem }}{{ loop.last }}{% else %}none{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% set y = 1 %}{% macro f(a, b=2) %}{{ a }}{{ b }}{{ y }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(none) }} {{ f(1, 3, 4, c=5) }}", "{% macro f(a) %}<{{ caller() }}{{ a }}>{% endmacro %}{% call f(1) %}x{% endcall %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% raw %}{{ x }} {% if %}{% endraw %}!", " {%+ if true %}x{% endif +%}\n y", "{% filter upper %}ab{% endfilter %}", "{% set x %}a{{ 1 }}{% endset %}{{ x | length }}",
    "{{ '%s-%d %.2f %5s|' % ('a', 3, 1.5, 'b') }}", "{{ '{}-{1}'.format(1) }}", "{{ '{}-{:>4}|{x:.1f}'.format('a', 1, x=2.25) }}", "{{ '%s' | format(none) }}",
    "{{ 'abc'.find('c') }} {{ 'abcb'.count('b') }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a\\nb\\r\\nc'.splitlines() }} {{ 'a=b'.partition('=') }} {{ 'abc'.removeprefix('a') }} {{ '12'.isdigit() }}",
    "{{ 'abc'.index('z') }}", "{{ ','.join(['a', 'b']) }} {{ ','.join([1]) }}", "{{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'abcb'.replace('b', 'x', 1) }} {{ 'abc'.startswith(('x', 'a')) }}",
    "{{ [3, 1] | min }}{{ [3, 1] | max }}{{ [3, 1] | sum }} {{ ['b', 'A'] | sort }} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 2] | reject('odd') | list }} {{ none | selectattr('a') | list }} {{ 'abc' | list }}",
    "{{ ['a', 'bc'] | map('length') | list }} {{ messages | map(attribute='role') | join('-') }} {{ messages | selectattr('role', 'eq', 'user') | list | length }} {{ [1, 2, 3] | batch(2) | list }}",
    "{% for role, group in messages | groupby('role') %}{{ role }}{{ group | length }}{% endfor %}", "{{ [1, 1.0, 'a', 'A'] | unique | list }} {{ {'b': 1, 'a': 2} | dictsort }} {{ {'a': none} | items | list }}",
    "{{ 'a<b' | e }} {{ 'a b' | urlencode }} {{ 'x' | center(4) }}| {{ 'one two three' | truncate(8, leeway=0) }} {{ 'a b' | wordcount }} {{ 2.5 | round }} {{ 3.456 | round(1) }} {{ 'a\\n\\nb' | indent(2) }}",
    "{{ {'b': 1.0, 'a': [none, 'ü<']} | tojson }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true, separators=(',', ':')) }} {{ [[], {}] | tojson(indent=2) }} {{ 'ü' | tojson(ensure_ascii=true) }}", "{{ missing | tojson }}",
    "{{ {1: 'x', none: 'y'}[1] }} {{ dict(a=1) }} {{ {'items': 5}['items'] }} {{ {'a': none}.get('a', 2) }} {{ {'a': 1}.get('b') }}", "{{ messages.append(1) }}",
    "{{ 4 is divisibleby 2 }} {{ 4 is not divisibleby(3) and true }} {{ 1 is in [1] }} {{ 1 is not in [1] }} {{ 'a' is eq 'a' }} {{ 1 is sameas 1 }} {{ 1 is true }} {{ 3 is odd }}", "{{ strftime_now('%-d %j %U %e') }}",
    "{% set ns = namespace(a=none) %}{{ ns.a is none }}{% set ns.a = 1 %}{{ ns.a }}", "{{ messages[0]['content'] }}{{ messages[0].get('nothing', 'x') }}{{ messages[-1].role.upper() }}",
    "{% set c = cycler('a', 'b', 3) %}{% for i in range(7) %}{{ c.next() }}{{ c.current }};{% endfor %}{{ c.pos }}{% set _ = c.reset() %}{{ c.current }}{{ c.next() }}", "{{ cycler() }}", "{{ cycler(1).next(2) }}",
    "{% set row = cycler(none, [1]) %}{{ row.next() }}{{ row.next() }}{{ row.next() }}{{ row.current is none }}{{ row.nothing }}|", "{% set c = cycler(1) %}{% set c.pos = 2 %}",
    "{% set j = joiner() %}{% for m in messages %}{{ j() }}{{ m.role }}{% endfor %}", "{% set j = joiner(' | ') %}{% set k = joiner(sep=none) %}{{ j() }}{{ j() }}{{ j() }}{{ k() }}{{ k() }}", "{{ joiner()(1) }}",
    "{{ joiner is callable }} {{ cycler(1).next is callable }} {{ joiner() is true }}", "{% for x in cycler(1, 2) %}{{ x }}{% endfor %}",
]


def record_templates():
    messages = [{"role": "user", "content": " hi "}, {"role": "assistant", "content": "yo"}]
    cases = []
    for source in TEMPLATES:
        case = {"template": source}
        try:
            case["text"] = environment().from_string(source).render(messages=messages, bos_token="<s>")
        except Exception as error:  # Whatever Python raises, a chat is refused for.
            case["raised"] = type(error).__name__
        cases.append(case)
    return [{"jinja2": jinja2.__version__, "now": "2026-03-05T14:07:09", "messages": messages}, *cases]


def write(name, lines):
    (HERE / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


write("encode-golden.jsonl", record_encodings())
write("chat-golden.jsonl", record_chats())
write("template-golden.jsonl", record_templates())
