"""Tokenizers with chat templates in the styles of four families, written for these tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

CHATML = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {{- "You may call:\\n" + (tools | tojson) }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1, searching=true) %}
{%- for message in messages[::-1] %}
    {%- if ns.searching and message.role == "user" and message.content is string %}
        {%- set ns.searching = false %}
        {%- set ns.last = messages|length - 1 - loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- if '</think>' in content and loop.index0 < ns.last %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

SMALL = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nA helpful model named Small<|im_end|>\\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

HEADERS = """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if message.role not in ['user', 'assistant'] %}
        {{- raise_exception("only user and assistant may follow") }}
    {%- endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

LINES = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{% generation %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}
"""

ODD = """\
{%- macro line(name, words) -%}{{ name }}:{{ words | indent(2) }}{%- endmacro %}
    {%- for message in messages %}
    {%- if loop.index > 3 %}{% break %}{% endif %}
    {%- if not message.content %}{% continue %}{% endif %}
    {{ line(message.role | upper, message.content) }}
    {%- endfor %}
{{ dict(a=1, b=[1, 2.5, none, 'é<&"']) | tojson(indent=1) }}{{ messages[0] | tojson }}
{{ '%s and %s' % (bos_token | default('no beginning', true), pad_token) }}{{ tools is none }}
{# said #} {% if documents is defined %}{{ documents }}{% endif %}
{{ dict.fromkeys('ab', 1) }} {{ namespace(x=1).x }} {{ unk_token is defined }} {{ mask_token }}
   {% set parts = messages[-1].content.split() %}{{ parts[:2] | join('|') }}
"""

TEMPLATES = {"chatml": CHATML, "small": SMALL, "headers": HEADERS, "lines": LINES, "odd": ODD}
SPECIAL = {
    "chatml": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "small": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "headers": ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "lines": ("<unk>", "<s>", "</s>"),
    "odd": ("<|pad|>",),
}
ROLES = {
    "chatml": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None},
    "small": {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "bos_token": "<|im_start|>"},
    "headers": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    "lines": {
        "bos_token": "<s>",
        "eos_token": {"__type": "AddedToken", "content": "</s>", "lstrip": False},
        "unk_token": "<unk>",
    },
    "odd": {"pad_token": "<|pad|>"},
}

U, A, S = ({"role": role} for role in ("user", "assistant", "system"))
CONVERSATIONS: dict[str, list[dict[str, str]]] = {
    "one": [U | {"content": "Who is there?"}],
    "system": [S | {"content": "  Be brief. "}, U | {"content": "Hi"}],
    "several": [
        S | {"content": "Be brief."}, U | {"content": "Hi"}, A | {"content": "<think>so</think>\n\nHello!"},
        U | {"content": "And\nthen?\n"}, A | {"content": "Nothing. "},
        U | {"content": " naïve 汉字 🙂 <|im_end|> {{ 1 }}"},
    ],
    "begun": [U | {"content": "Count"}, A | {"content": "One, two,"}],
    "begun twice": [
        U | {"content": "Count"}, A | {"content": "One, "}, U | {"content": "go on"}, A | {"content": "Two, "},
    ],
    "empty": [U | {"content": ""}],
}  # fmt: skip


def write_tokenizer(folder: Path, kind: str, placed: str = "setting", **settings: Any) -> Path:
    """A byte-level BPE with the special tokens and the template of a family, where that may be `placed`."""
    pipeline = Tokenizer(models.BPE())
    pipeline.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pipeline.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words = ["Who is there? Be brief. Hi Hello! And then? Nothing. user assistant system " * 4]
    pipeline.train_from_iterator(
        words, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    )
    pipeline.add_special_tokens(list(SPECIAL[kind]))
    if kind == "headers":  # every other text begins with a token, as the template's own does
        first = SPECIAL[kind][0]
        pipeline.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, pipeline.token_to_id(first))]
        )
    folder.mkdir(parents=True)
    pipeline.save(str(folder / "tokenizer.json"))
    template = TEMPLATES[kind]
    config = {"tokenizer_class": "PreTrainedTokenizerFast"} | ROLES[kind] | settings
    if placed == "setting":
        config["chat_template"] = template
    elif placed == "list":
        named = {"tool_use": "{{ 'tools' }}", "default": template}
        config["chat_template"] = [{"name": name, "template": text} for name, text in named.items()]
    else:
        config["chat_template"] = "{{ 'an old one' }}"
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / "tool_use.jinja").write_text("{{ 'tools' }}")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
