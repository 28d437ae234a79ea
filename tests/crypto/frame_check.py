#!/usr/bin/python3
"""Frames made and opened without our code (and without libsodium): OpenSSL's Ed25519 and ChaCha20-Poly1305, Python's
BLAKE2b, HChaCha20 by hand. One request a line on stdin, hex; one answer a line on stdout.

  open EPOCH_KEY SIGN_PK FRAME           ops, or the word for what is wrong
  seal EPOCH_KEY SIGN_SEED HEADER NONCE OPS   frame; the header's last field is filled in here
"""
import hashlib
import struct
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

HEADER, NONCE, COMMIT, TAG, SIGNATURE, FLOOR = 148, 24, 32, 16, 64, 256


def blake(size, *parts, key=b""):
    return hashlib.blake2b(b"".join(parts), digest_size=size, key=key).digest()


def hchacha20(key, nonce):
    words = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            words[x] = (words[x] + words[y]) & 0xFFFFFFFF
            mixed = words[z] ^ words[x]
            words[z] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12)
    return struct.pack("<8I", *words[:4], *words[12:])


def keys(epoch_key, nonce, header):
    k = blake(64, b"selfsame 1 seal frame", nonce, blake(32, header), key=epoch_key)
    return ChaCha20Poly1305(hchacha20(k[:32], bytes(16))), k[32:]


def padded(n):
    if n <= FLOOR:
        return FLOOR
    exponent = n.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (n + mask) & ~mask


def signed_text(header, body):
    return b"selfsame 1 sign frame" + blake(64, header, blake(32, body))


def open_frame(epoch_key, sign_pk, frame):
    header, body, signature = frame[:HEADER], frame[HEADER:-SIGNATURE], frame[-SIGNATURE:]
    Ed25519PublicKey.from_public_bytes(sign_pk).verify(signature, signed_text(header, body))
    if struct.unpack(">I", header[-4:])[0] != len(body):
        raise ValueError("size")
    cipher, commitment = keys(epoch_key, body[:NONCE], header)
    if commitment != body[NONCE:NONCE + COMMIT]:
        raise ValueError("commitment")
    plain = cipher.decrypt(bytes(12), body[NONCE + COMMIT:], header)
    n = struct.unpack(">I", plain[:4])[0]
    if len(plain) != padded(n + 4) or any(plain[4 + n:]):
        raise ValueError("padding")
    return plain[4:4 + n]


def seal_frame(epoch_key, sign_seed, header, nonce, ops):
    plain = struct.pack(">I", len(ops)) + ops
    plain += bytes(padded(len(plain)) - len(plain))
    header = header[:-4] + struct.pack(">I", NONCE + COMMIT + len(plain) + TAG)
    cipher, commitment = keys(epoch_key, nonce, header)
    body = nonce + commitment + cipher.encrypt(bytes(12), plain, header)
    return header + body + Ed25519PrivateKey.from_private_bytes(sign_seed).sign(signed_text(header, body))


for line in sys.stdin:
    what, *fields = line.rstrip("\n").split(" ")
    try:
        print("=" + {"open": open_frame, "seal": seal_frame}[what](*map(bytes.fromhex, fields)).hex())
    except InvalidSignature:
        print("signature")
    except InvalidTag:
        print("tag")
    except ValueError as wrong:
        print(wrong)
