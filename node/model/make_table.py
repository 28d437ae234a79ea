#!/usr/bin/env python3
"""Makes a table of vectors (VECTORS.md) from a package that carries static embeddings.

    make_table.py [--dims N] WHEEL OUT

WHEEL is the file of the PyPI package wordllama (made for 0.4.0.post1, MIT), as `pip download --no-deps
wordllama` leaves it: its tokens with vectors of 256 dims, of which the first 64 or 128 are an embedding
too. Needs nothing but Python.
"""
import argparse
import hashlib
import json
import struct
import sys
import unicodedata
import zipfile

PROBES = 64


def fold(text):
    """As the index folds words: lower case, without diacritics."""
    parts = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in parts if not unicodedata.combining(c))


def tokens_of(vocabulary):
    """Token as the table spells it -> number; of tokens that fold to the same, the one already folded wins."""
    out = {}
    for token, number in sorted(vocabulary.items(), key=lambda x: (fold(x[0]) != x[0], x[1])):
        starts = token.startswith("\u2581")
        text = fold(token.lstrip("\u2581"))
        if token.startswith("<") or not text or not text.isalnum() or len(text.encode()) > 60:
            continue
        out.setdefault(text if starts else "##" + text, number)
    return dict(sorted(out.items()))


def floats_of(safetensors):
    """(rows, dims, values) of the one tensor of half floats."""
    (length,) = struct.unpack_from("<Q", safetensors)
    header = json.loads(safetensors[8 : 8 + length])
    header.pop("__metadata__", None)
    ((name, tensor),) = header.items()
    if tensor["dtype"] != "F16" or len(tensor["shape"]) != 2:
        sys.exit(f"make_table: tensor '{name}' is not a matrix of half floats")
    rows, dims = tensor["shape"]
    return dims, struct.unpack_from(f"<{rows * dims}e", safetensors, 8 + length + tensor["data_offsets"][0])


def quantised(values):
    top = max(abs(x) for x in values) or 1.0
    return top / 127, bytes(round(x * 127 / top) & 0xFF for x in values)


def slots_of(texts):
    size = 2
    while size < 2 * len(texts):
        size *= 2
    slots = [0] * size
    for number, text in enumerate(texts, 1):
        h = 2166136261
        for byte in text:
            h = (h ^ byte) * 16777619 & 0xFFFFFFFF
        for probe in range(PROBES):
            if slots[(h + probe) & (size - 1)] == 0:
                slots[(h + probe) & (size - 1)] = number
                break
        else:
            sys.exit("make_table: no room for a token among the slots")
    return slots


def table(tokens, dims_of, values, dims, about):
    texts = [t.encode() for t in tokens]
    slots = slots_of(texts)
    index, strings, vectors = bytearray(), bytearray(), bytearray()
    for text, number in zip(texts, tokens.values()):
        scale, v = quantised(values[number * dims_of : number * dims_of + dims])
        index += struct.pack(">IIf", len(strings), len(text), scale)
        strings += text
        vectors += v
    body = struct.pack(">IIIIII", dims, len(texts), len(slots), len(strings), len(about), 0) + about
    body += struct.pack(f">{len(slots)}I", *slots) + index + strings + vectors
    return b"selftab1" + hashlib.blake2b(body, digest_size=16).digest() + body


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--dims", type=int, default=256)
    arguments.add_argument("wheel")
    arguments.add_argument("out")
    a = arguments.parse_args()
    with zipfile.ZipFile(a.wheel) as wheel:
        names = wheel.namelist()
        weights = [n for n in names if n.endswith("weights/l2_supercat_256.safetensors")]
        tokenizer = [n for n in names if n.endswith("tokenizers/l2_supercat_tokenizer_config.json")]
        if not weights or not tokenizer:
            sys.exit(f"make_table: '{a.wheel}' has no vectors that this program knows")
        vocabulary = json.loads(wheel.read(tokenizer[0]))["model"]["vocab"]
        dims, values = floats_of(wheel.read(weights[0]))
        version = [n.split("-")[1].split(".dist")[0] for n in names if n.endswith(".dist-info/METADATA")]
    if not 1 <= a.dims <= dims:
        sys.exit(f"make_table: there are 1 to {dims} dims")
    about = f"wordllama {version[0]}, Copyright (c) 2024 Lee Miller, MIT License".encode()
    with open(a.out, "wb") as out:
        out.write(table(tokens_of(vocabulary), dims, values, a.dims, about))


if __name__ == "__main__":
    main()
