#!/usr/bin/python3
"""The content of frames packed and unpacked without our code, from sync/PROTOCOL.md alone. One request a line on stdin, hex;
one answer a line on stdout.

  pack DEVICE PLAIN        the content
  unpack DEVICE CONTENT    the plain form
"""
import sys

FIXED = {3: 1, 5: 1, 6: 1, 7: 2, 8: 1, 9: 1, 10: 1}
TIMES, NAMES, COUNT, SEEN = {14, 15, 16}, {4, 11, 64}, 128, 129
MASK, TABLE = (1 << 64) - 1, 64


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def zigzag(n):  # of a number modulo 2^64
    return (n << 1 & MASK) ^ (MASK if n >> 63 else 0)


def sized(b):
    return varint(len(b)) + b


class Reader:
    def __init__(self, b):
        self.b = b

    def take(self, n):
        assert n <= len(self.b)
        out, self.b = self.b[:n], self.b[n:]
        return out

    def u8(self):
        return self.take(1)[0]

    def varint(self):
        out, shift = 0, 0
        while True:
            byte = self.u8()
            out |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return out

    def svarint(self):
        n = self.varint()
        return (n >> 1) ^ (MASK if n & 1 else 0)

    def sized(self):
        return self.take(self.varint())

    def rest(self):
        return self.take(len(self.b))


class Memory:
    def __init__(self, device):
        self.device, self.shapes, self.names, self.ms, self.counter, self.time = device, [], [], 0, 0, 0


def refer(table, what, spelled, shift):
    if what in table:
        return bytes([shift + table.index(what)])
    if len(table) < TABLE:
        table.append(what)
    return spelled


def pack_time(m, r):
    now = r.svarint()
    step, m.time = (now - m.time) & MASK, now
    return varint(zigzag(step))


def pack_name(m, name):
    return refer(m.names, name, b"\0" + sized(name), 1)


def pack_value(m, tag, r):
    if tag in FIXED:
        return r.take(FIXED[tag])
    if tag in TIMES:
        return pack_time(m, r)
    return pack_name(m, r.rest()) if tag in NAMES else sized(r.rest())


def pack_payload(m, tag, r):
    if tag < 64:
        return r.take(16 * r.u8()) + pack_value(m, tag, r)
    if tag < 96:
        return pack_value(m, tag, r)
    if tag == COUNT:
        device = r.take(16)
        out = (b"\0" if device == m.device else b"\1" + device) + pack_name(m, r.sized())
        return out + varint(r.varint()) + varint(r.varint()) + pack_time(m, r) + pack_time(m, r)
    if tag == SEEN:
        n = r.varint()
        return varint(n) + b"".join(r.take(17) + pack_time(m, r) for _ in range(n))
    return sized(r.rest())


def pack_op(m, salt, op):
    r = Reader(op)
    assert r.u8() == 1
    head, hlc, ident, n = r.take(2), int.from_bytes(r.take(8), "big"), r.take(16), r.varint()
    actions = [(r.varint(), r.sized()) for _ in range(n)]
    shape = head + varint(n) + b"".join(varint(t) + (p[:1] if t < 64 else b"") for t, p in actions)
    out = refer(m.shapes, shape, b"\1" + shape, 2) + salt
    ms, counter = hlc >> 16, hlc & 0xFFFF
    usual = m.counter + 1 if ms == m.ms else 0
    out += varint(zigzag((ms - m.ms) & MASK)) + varint((counter - usual) & 0xFFFF) + ident
    m.ms, m.counter = ms, counter
    return out + b"".join(pack_payload(m, t, Reader(p)) for t, p in actions)


def pack(device, plain):
    m, r, out = Memory(device), Reader(plain), b"\1"
    while r.b:
        n = r.varint()
        out += b"\0" + r.take(32) if n == 0 else pack_op(m, r.take(16), r.take(n))
    return out


def unpack_time(m, r):
    m.time = (m.time + r.svarint()) & MASK
    return varint(zigzag(m.time))


def unpack_name(m, r):
    k = r.u8()
    if k:
        return m.names[k - 1]
    name = r.sized()
    if len(m.names) < TABLE:
        m.names.append(name)
    return name


def unpack_value(m, tag, r):
    if tag in FIXED:
        return r.take(FIXED[tag])
    if tag in TIMES:
        return unpack_time(m, r)
    return unpack_name(m, r) if tag in NAMES else r.sized()


def unpack_payload(m, tag, stamps, r):
    if tag < 64:
        return bytes([stamps]) + r.take(16 * stamps) + unpack_value(m, tag, r)
    if tag < 96:
        return unpack_value(m, tag, r)
    if tag == COUNT:
        device = r.take(16) if r.u8() else m.device
        out = device + sized(unpack_name(m, r))
        return out + varint(r.varint()) + varint(r.varint()) + unpack_time(m, r) + unpack_time(m, r)
    if tag == SEEN:
        n = r.varint()
        return varint(n) + b"".join(r.take(17) + unpack_time(m, r) for _ in range(n))
    return r.sized()


def read_shape(r):
    head, n = r.take(2), r.varint()
    tags = []
    for _ in range(n):
        tag = r.varint()
        tags.append((tag, r.u8() if tag < 64 else 0))
    return head, tags


def unpack_op(m, item, r):
    if item == 1:
        shape = read_shape(r)
        if len(m.shapes) < TABLE:
            m.shapes.append(shape)
    else:
        shape = m.shapes[item - 2]
    salt, ms = r.take(16), (m.ms + r.svarint()) & MASK
    usual = m.counter + 1 if ms == m.ms else 0
    m.ms, m.counter = ms, (usual + r.varint()) & 0xFFFF
    out = b"\1" + shape[0] + (ms << 16 | m.counter).to_bytes(8, "big") + r.take(16) + varint(len(shape[1]))
    for tag, stamps in shape[1]:
        out += varint(tag) + sized(unpack_payload(m, tag, stamps, r))
    return varint(len(out)) + salt + out


def unpack(device, content):
    m, r, out = Memory(device), Reader(content), b""
    if r.u8() == 0:
        return r.rest()
    while r.b:
        item = r.u8()
        out += b"\0" + r.take(32) if item == 0 else unpack_op(m, item, r)
    return out


for line in sys.stdin:
    what, *fields = line.split()
    print({"pack": pack, "unpack": unpack}[what](*map(bytes.fromhex, fields)).hex())
