"""Sound files of the project's own making, and ways to spoil them."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable, Sequence

import av
import numpy as np
import soundfile

#: Name of a seed: rate, channels and soundfile's words for it. The endings are what users have.
SEEDS: dict[str, tuple[int, int, dict[str, str]]] = {
    "u8.wav": (16_000, 1, {"format": "WAV", "subtype": "PCM_U8"}),
    "s16.wav": (44_100, 2, {"format": "WAV", "subtype": "PCM_16"}),
    "s24.wav": (16_000, 2, {"format": "WAV", "subtype": "PCM_24"}),
    "s32.wav": (48_000, 1, {"format": "WAV", "subtype": "PCM_32"}),
    "f32.wav": (16_000, 1, {"format": "WAV", "subtype": "FLOAT"}),
    "f64.wav": (8_000, 1, {"format": "WAV", "subtype": "DOUBLE"}),
    "mulaw.wav": (8_000, 1, {"format": "WAV", "subtype": "ULAW"}),
    "ima.wav": (16_000, 2, {"format": "WAV", "subtype": "IMA_ADPCM"}),
    "ms.wav": (16_000, 1, {"format": "WAV", "subtype": "MS_ADPCM"}),
    "gsm.wav": (8_000, 1, {"format": "WAV", "subtype": "GSM610"}),
    "six.wav": (16_000, 6, {"format": "WAVEX", "subtype": "PCM_16"}),
    "long.rf64": (16_000, 1, {"format": "RF64", "subtype": "PCM_16"}),
    "s16.flac": (16_000, 1, {"format": "FLAC", "subtype": "PCM_16"}),
    "s24.flac": (44_100, 2, {"format": "FLAC", "subtype": "PCM_24"}),
    "vorbis.ogg": (16_000, 1, {"format": "OGG", "subtype": "VORBIS"}),
    "stereo.ogg": (44_100, 2, {"format": "OGG", "subtype": "VORBIS"}),
    "song.opus": (48_000, 2, {"format": "OGG", "subtype": "OPUS"}),
    "song.mp3": (44_100, 2, {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    "mono.mp3": (16_000, 1, {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    "song.aiff": (16_000, 1, {"format": "AIFF", "subtype": "PCM_16"}),
    "song.caf": (16_000, 1, {"format": "CAF", "subtype": "PCM_16"}),
    "song.au": (16_000, 1, {"format": "AU", "subtype": "PCM_16"}),
}

#: Seeds for the decoder: FFmpeg's words for the container and the codec.
DECODED = {
    "song.m4a": ("mp4", "aac"),
    "song.wma": ("asf", "wmav2"),
    "song.mka": ("matroska", "ac3"),
    "song.oga": ("ogg", "flac"),
}
#: Seeds that are others, one behind the other.
JOINED = {"joined.mp3": ("song.mp3", "mono.mp3"), "chained.ogg": ("stereo.ogg", "vorbis.ogg")}

#: Numbers that programs trip over, as 1, 2, 4 and 8 bytes hold them.
_ODD = (0, 1, 2, 3, 7, 999, 1_000, 1_024, 1_025, 65_535, 1_000_001, (1 << 31) - 1, 1 << 31)
_WIDE = (*_ODD, (1 << 32) - 1, 1 << 40, (1 << 61) + 7, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def seeds(seconds: float = 1.2) -> dict[str, bytes]:
    """The bytes of every seed: a chord with a beat, a pause, and noise."""
    made = {}
    for name, (rate, channels, kind) in SEEDS.items():
        t = np.arange(int(seconds * rate)) / rate
        chord = sum(np.sin(2 * np.pi * f * t + f) for f in (220.0, 277.2, 330.0)) / 3
        sound = 0.5 * chord * (1 - (4 * t) % 1) * (t < 0.8 * seconds)
        sound += 0.01 * np.random.default_rng(1).standard_normal(len(t))
        block = np.stack([sound * 0.8**channel for channel in range(channels)], axis=1)
        file = io.BytesIO()
        soundfile.write(file, block, rate, **kind)
        made[name] = file.getvalue()
    made |= {name: _transcoded(made["s16.wav"], *kind) for name, kind in DECODED.items()}
    return made | {name: b"".join(made[part] for part in parts) for name, parts in JOINED.items()}


def _transcoded(sound: bytes, container: str, codec: str) -> bytes:
    """A sound file in a form that soundfile does not write."""
    file = io.BytesIO()
    with av.open(io.BytesIO(sound)) as source, av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=44_100, layout="stereo", bit_rate=128_000)
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


Mutation = Callable[[bytearray, random.Random], None]


def flip_bits(data: bytearray, chance: random.Random) -> None:
    """Up to 64 bits anywhere."""
    for _ in range(1 << chance.randrange(7)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flip_header(data: bytearray, chance: random.Random) -> None:
    """Up to 8 bits among the first 256 bytes."""
    for _ in range(1 << chance.randrange(4)):
        data[chance.randrange(min(256, len(data)))] ^= 1 << chance.randrange(8)


def truncate(data: bytearray, chance: random.Random) -> None:
    """Cut off anywhere, more often near the beginning."""
    del data[int(len(data) * chance.random() ** 2) :]


def odd_number(data: bytearray, chance: random.Random) -> None:
    """A number that programs trip over, where headers have theirs."""
    width, form = chance.choice([(1, "B"), (2, "H"), (4, "I"), (4, "I"), (8, "Q")])
    value = chance.choice(_WIDE) & ((1 << 8 * width) - 1)
    at = chance.randrange(max(1, min(len(data) - width, 128)))
    data[at : at + width] = struct.pack(chance.choice("<>") + form, value)


def insert(data: bytearray, chance: random.Random) -> None:
    """Garbage in between."""
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(1 << chance.randrange(13))


def overwrite(data: bytearray, chance: random.Random) -> None:
    """A stretch of garbage, of zeros or of ones."""
    length = 1 << chance.randrange(12)
    at = chance.randrange(len(data))
    stretch = chance.choice([chance.randbytes(length), bytes(length), b"\xff" * length])
    data[at : at + length] = stretch[: len(data) - at]


def remove(data: bytearray, chance: random.Random) -> None:
    """A stretch is missing."""
    at = chance.randrange(len(data))
    del data[at : at + (1 << chance.randrange(12))]


def repeat(data: bytearray, chance: random.Random) -> None:
    """A stretch comes twice."""
    at = chance.randrange(len(data))
    stretch = data[at : at + (1 << chance.randrange(13))]
    data[at:at] = stretch


def absurd_layout(data: bytearray, chance: random.Random) -> None:
    """Rate, channels, width or length that no sound has, in the header's own fields."""
    kind = bytes(data[:4])
    if kind in (b"RIFF", b"RF64") and (at := data.find(b"fmt ")) > 0:
        offset, form = chance.choice([(8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H")])
        width = struct.calcsize(form)
        value = chance.choice(_WIDE) & ((1 << 8 * width) - 1)
        data[at + offset : at + offset + width] = struct.pack("<" + form, value)
        if chance.random() < 0.5 and (at := data.find(b"data")) > 0:
            data[at + 4 : at + 8] = struct.pack("<I", chance.choice(_ODD))
    elif kind == b"fLaC":
        # STREAMINFO: 20 bits of rate, 3 of channels, 5 of width, 36 of length.
        rate = chance.choice([0, 1, 16_000, 44_100, (1 << 20) - 1])
        length = chance.choice([0, 1, 1 << 35, (1 << 36) - 1])
        packed = rate << 44 | chance.randrange(8) << 41 | chance.randrange(32) << 36 | length
        data[18:26] = packed.to_bytes(8)
        if chance.random() < 0.3:
            data[8:18] = chance.randbytes(10)  # block and frame sizes
    elif kind == b"OggS":
        at = data.find(b"vorbis")
        at = at + 10 if at > 0 else data.find(b"OpusHead") + 9  # channels, then the rate
        data[at : at + 1] = bytes([chance.randrange(256)])
        if chance.random() < 0.5:
            data[at + 1 : at + 5] = struct.pack("<I", chance.choice(_ODD))
        if chance.random() < 0.5 and (end := data.rfind(b"OggS")) >= 0:
            # The last page's position, that is the length.
            data[end + 6 : end + 14] = struct.pack("<Q", chance.choice(_WIDE) % (1 << 64))
    else:
        odd_number(data, chance)


MUTATIONS: Sequence[Mutation] = (
    *(flip_bits, flip_header, truncate, odd_number, insert, overwrite, remove, repeat),
    *(absurd_layout, absurd_layout),
)


def mutant(made: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """Spoilt file ``number``: its name and bytes, the same each time."""
    chance = random.Random(number)
    name = chance.choice(list(made))
    data = bytearray(made[name])
    if chance.random() < 0.05:  # the head of one file on the body of another
        other = made[chance.choice(list(made))]
        at = chance.randrange(1, 200)
        data[at:] = other[at:]
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        if data:
            chance.choice(MUTATIONS)(data, chance)
    if data[:4] == b"OggS" and chance.random() < 0.7:
        _mend_ogg(data)
    return name, bytes(data)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFF_FFFF
        table.append(value)
    return table


_CRC = _crc_table()


def _mend_ogg(data: bytearray) -> None:
    """Make the checksums right again: a spoilt page with a wrong one would only be passed over."""
    at = data.find(b"OggS")
    while 0 <= at <= len(data) - 27:
        segments = data[at + 26]
        end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
        page = data[at:end]
        page[22:26] = bytes(4)
        value = 0
        for byte in page:
            value = (value << 8 & 0xFFFF_FFFF) ^ _CRC[value >> 24 ^ byte]
        data[at + 22 : at + 26] = value.to_bytes(4, "little")
        at = data.find(b"OggS", max(end, at + 4))
