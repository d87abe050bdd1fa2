from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import AssetError
from canonface.landmarker.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    read_fields,
    read_packed_varints,
    read_varint,
)


def encode_varint(value: int) -> bytes:
    digits = []
    while value >= 128:
        digits.append(value % 128 + 128)
        value //= 128
    return bytes([*digits, value])


def test_the_examples_of_the_specification():
    assert read_varint(b"\x96\x01", 0) == (150, 2)
    assert list(read_fields(b"\x08\x96\x01")) == [(1, VARINT, 150)]
    assert list(read_fields(b"\x12\x07testing")) == [(2, BYTES, b"testing")]
    assert read_packed_varints(b"\x03\x8e\x02\x9e\xa7\x05") == [3, 270, 86942]


def test_every_wire_type_in_one_message():
    data = b"\x0d\x00\x00\x80\x3f" + b"\x11" + bytes(range(8)) + b"\x18\x01" + b"\x22\x00"
    assert list(read_fields(data)) == [
        (1, FIXED32, b"\x00\x00\x80\x3f"),
        (2, FIXED64, bytes(range(8))),
        (3, VARINT, 1),
        (4, BYTES, b""),
    ]


def test_an_empty_message_has_no_fields():
    assert list(read_fields(b"")) == []


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_integers_round_trip(values):
    assert read_packed_varints(b"".join(encode_varint(value) for value in values)) == values


@pytest.mark.parametrize(
    "data",
    [b"\x08", b"\x08\x96", b"\x12\x07testin", b"\x12", b"\x0d\x00\x00\x80", b"\x11" + bytes(7), b"\x80"],
    ids=[
        "no value",
        "half an integer",
        "short bytes",
        "no length",
        "short float",
        "short double",
        "half a key",
    ],
)
def test_truncation_raises(data):
    with pytest.raises(AssetError, match="truncated"):
        list(read_fields(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00\x00", "number above 0"),
        (b"\x0b", "wire type 0, 1, 2 or 5; got 3"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "at most 10 bytes"),
    ],
)
def test_other_data_raises(data, message):
    with pytest.raises(AssetError, match=message):
        list(read_fields(data))


@given(st.binary(max_size=60))
def test_any_bytes_give_fields_or_our_error(data):
    try:
        fields = list(read_fields(data))
    except AssetError:
        return
    assert all(number > 0 for number, _, _ in fields)
