"""Parser of the protobuf wire format, sufficient to read a message without its schema.

A message is a sequence of fields; a field is a key, ``number << 3 | wire type``, and a value.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from canonface.errors import AssetError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_SIZE = {FIXED64: 8, FIXED32: 4}


class WireField(NamedTuple):
    """Field of a protobuf message.

    Attributes:
        number: number of the field in the schema.
        wire_type: ``VARINT``, ``FIXED64``, ``BYTES`` or ``FIXED32``.
        value: an unsigned integer for ``VARINT``, the raw little-endian bytes otherwise.
    """

    number: int
    wire_type: int
    value: int | bytes


def read_varint(data: bytes, start: int) -> tuple[int, int]:
    """Read the base-128 integer at ``start``.

    It has seven bits per byte, lowest first; all bytes but the last have the top bit set.

    Returns:
        The value (unsigned, below 2^64) and the position after it.

    Raises:
        AssetError: the data ends within the integer, or it is longer than ten bytes.
    """
    value = 0
    for length, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << (7 * length)
        if byte < 0x80:
            return value & (2**64 - 1), start + length + 1
    if start + 10 <= len(data):
        raise AssetError(
            f"A protobuf integer has at most 10 bytes; the one at byte {start} goes on. "
            "Not a protobuf message?"
        )
    raise _truncated(f"an integer at byte {start}", len(data))


def read_fields(data: bytes) -> Iterator[WireField]:
    """Yield the fields of one message, in the order in which they are stored.

    Raises:
        AssetError: the data is truncated or not a protobuf message.
    """
    position = 0
    while position < len(data):
        at = position
        key, position = read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise AssetError(
                f"A protobuf field has a number above 0; got 0 at byte {at}. Not a protobuf message?"
            )
        if wire_type == VARINT:
            value, position = read_varint(data, position)
            yield WireField(number, wire_type, value)
            continue
        if wire_type == BYTES:
            size, position = read_varint(data, position)
        elif wire_type in _FIXED_SIZE:
            size = _FIXED_SIZE[wire_type]
        else:
            raise AssetError(
                f"A protobuf field is of wire type 0, 1, 2 or 5; got {wire_type} at byte {at}. "
                "Not a protobuf message?"
            )
        if position + size > len(data):
            raise _truncated(f"{size} bytes of field {number} at byte {position}", len(data))
        yield WireField(number, wire_type, data[position : position + size])
        position += size


def read_packed_varints(data: bytes) -> list[int]:
    """Return the integers of a packed repeated field.

    Raises:
        AssetError: the data ends within an integer.
    """
    values, position = [], 0
    while position < len(data):
        value, position = read_varint(data, position)
        values.append(value)
    return values


def _truncated(expected: str, size: int) -> AssetError:
    return AssetError(
        f"The protobuf message is truncated: it announces {expected}, but it has {size} bytes. "
        "Fetch the file again."
    )
