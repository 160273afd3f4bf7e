#!/usr/bin/python3
"""Golden vectors of what seals: every key that is made of a secret, and one sealed datagram, by a second
implementation (pycryptodome, whose HMAC and AES are its own).

    seal_vectors.py [--check] HEADER     writes tests/unit/seal_vectors.h, or tells whether it is so

The labels and their order are written down here once more, from docs/design/sealing.md, and nothing of
the product is read."""

import sys

try:
    from Cryptodome.Cipher import AES
    from Cryptodome.Hash import HMAC, SHA256
except ImportError:
    print("SKIPPED: python3-pycryptodome is not installed")
    sys.exit(77)

NETWORK = b"golden"
SECRET = bytes(range(32))
A = bytes(range(0x10, 0x20))
B = bytes(range(0xf0, 0x100))
COUNTER = 0x0102030405060708
TEXT = b"what stands behind the header"
LINE_MAX = 96


def mac(key, data):
    return HMAC.new(key, data, SHA256).digest()


def expand(prk, info, length):
    """RFC 5869 section 2.3."""
    out, block = b"", b""
    for number in range(1, 256):
        block = mac(prk, block + info + bytes([number]))
        out += block
        if len(out) >= length:
            return out[:length]
    raise ValueError("too long")


def seal(key, counter, head, body):
    cipher = AES.new(key, AES.MODE_GCM, nonce=bytes(4) + counter.to_bytes(8, "big"), mac_len=16)
    cipher.update(head)
    sealed, tag = cipher.encrypt_and_digest(body)
    return head + sealed + tag


def vectors():
    prk = mac(b"repram/1/" + NETWORK, SECRET)
    other = mac(b"repram/1/other", SECRET)
    pair = expand(prk, b"repram pair 1" + A + B, 32)
    key_id = expand(prk, b"repram keyid 1", 2)
    # version, flags, key id, tag, counter
    head = b"\x02\x00" + key_id + bytes(range(0x40, 0x44)) + COUNTER.to_bytes(8, "big")
    return {
        "secret": SECRET,
        "uuid_a": A,
        "uuid_b": B,
        "key_id": key_id,
        "key_id_of_other_network": expand(other, b"repram keyid 1", 2),
        "intro_a": expand(prk, b"repram intro 1" + A, 32),
        "pair_ab": pair,
        "pair_ba": expand(prk, b"repram pair 1" + B + A, 32),
        "link": expand(prk, b"repram link 1", 48),
        "counter": COUNTER.to_bytes(8, "big"),
        "head": head,
        "text": TEXT,
        "sealed": seal(pair, COUNTER, head, TEXT),
    }


def as_c(name, value):
    lines, line = [], "   "
    for byte in value:
        item = f" 0x{byte:02x},"
        if len(line) + len(item) > LINE_MAX:
            lines.append(line)
            line = "   "
        line += item
    return "\n".join([f"static const uint8_t golden_{name}[] = {{", *lines, line, "};"])


def header():
    parts = ["""/*
 * seal_vectors: golden vectors of what seals, by a second implementation. Made by
 * tests/unit/seal_vectors.py, which says what each is.
 */
#ifndef TESTS_SEAL_VECTORS_H
#define TESTS_SEAL_VECTORS_H

#include <stdint.h>

/* clang-format off */"""]
    parts.append(f'static const char golden_network[] = "{NETWORK.decode()}";')
    parts += [as_c(name, value) for name, value in vectors().items()]
    parts.append("/* clang-format on */\n\n#endif\n")
    return "\n".join(parts)


def main(arguments):
    is_check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + is_check:
        sys.exit(__doc__)
    path = arguments[-1]
    if not is_check:
        with open(path, "w", encoding="ascii") as file:
            file.write(header())
    else:
        with open(path, encoding="ascii") as file:
            if file.read() != header():
                sys.exit(f"{path} is not what tests/unit/seal_vectors.py makes")


main(sys.argv[1:])
