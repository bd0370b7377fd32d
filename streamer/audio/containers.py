"""What a sound file's own bytes say of it: its kind, its parts, its length, and what is amiss.

Decoders answer for what they were given; they do not tell that a file holds more than they heard.
Nothing here decodes.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: What files begin with, and what people call them.
_MAGIC = {
    b"RIFF": "WAV",
    b"RIFX": "WAV",
    b"RF64": "WAV",
    b"BW64": "WAV",
    b"riff\x2e\x91\xcf\x11": "W64",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"dns.": "AU",
    b"Creative Voice File\x1a": "VOC",
    b"ID3": "MP3",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA",
    b"\x1a\x45\xdf\xa3": "Matroska",
    b"wvpk": "WavPack",
    b"TTA1": "TTA",
    b"MAC ": "APE",
    b"MPCK": "Musepack",
    b"MP+": "Musepack",
    b"DSD ": "DSF",
    b"#!AMR": "AMR",
    b".RMF": "RealMedia",
    b"tBaK": "TAK",
    b"\x0b\x77": "AC-3",
    b"\x7f\xfe\x80\x01": "DTS",
    b"\0\0\1\xba": "MPEG",
}
#: What a RIFF file may be that is no sound.
_OTHER_RIFF = (b"AVI ", b"RMID", b"WEBP", b"sfbk")
#: Bytes that suffice to tell the kind.
HEAD = 64


def kind_of(head: bytes) -> str | None:
    """The kind of sound file that begins with ``head`` (``HEAD`` bytes), if it is one."""
    if head[4:8] == b"ftyp":
        return "MP4"
    if head.startswith(b"OggS"):
        # The first page's packet names the codec.
        for codec, name in ((b"\x7fFLAC", "Ogg FLAC"), (b"Speex   ", "Speex")):
            if codec in head:
                return name
    if head[:4] == b"RIFF" and head[8:12] in _OTHER_RIFF:
        return None
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    # MPEG audio of layer 1 is left out: text in UTF-16 begins like it.
    frame = _mpeg_frame(head, 0)
    return "MP3" if frame is not None and frame.layout[1] > 1 else None


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file.

    ``kind``: as people call it. ``parts``: where in the file each of the recordings begins that
    stand one after the other in it; at least one. ``size``: its bytes.
    ``length_s``: seconds of its sound where they were counted here, frame by frame; ``None`` where
    a decoder's word is all there is. ``guessed``: its header does not know the length, and
    libsndfile guesses it, too short as often as not. ``mended``: the file with
    sizes in its header that its writer never filled in, or without them, as stretches of the file
    (begin, end) and bytes in between. ``remark``: what a person should know. ``share``: of the
    bytes of sound that its header promises, those that are there; 1 where it makes no promise.
    ``open_ends``: the parts of an Ogg file whose last page is missing, counted from 1.
    ``behind``: the kind of a recording that follows and is not heard.
    """

    kind: str | None
    size: int
    parts: tuple[int, ...] = (0,)
    length_s: float | None = None
    guessed: bool = False
    mended: tuple[bytes | tuple[int, int], ...] = ()
    remark: str | None = None
    share: float = 1.0
    open_ends: tuple[int, ...] = ()
    behind: str | None = None


def look_into(path: Path) -> Contents:
    """The contents of a regular file that is not empty. Raises ``OSError``."""
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if kind == "WAV":
                return _wav(data)
            if kind == "CAF":
                return _caf(data)
            if kind == "AU":
                return _au(data)
            if data[:3] == b"ID3":
                kind = kind_of(_after_tags(data)) or "MP3"
            if kind == "FLAC":
                return Contents("FLAC", len(data), (0, *_flac_parts(data)))
            if kind == "MP3":
                return _mp3(data)
            if kind in ("OGG", "Ogg FLAC", "Speex"):
                return _ogg(data, kind)
            if kind in _PROMISED:
                return Contents(kind, len(data), share=_share(_PROMISED[kind](data), len(data)))
            return Contents(kind, len(data))


#: Sizes that a writer left which did not know better: about the largest numbers of 31 and 32 bits,
#: and what no file has.
_ENDLESS = ((0x7FFF_0000, 0x8001_0000), (0xFFFF_0000, 1 << 32), (1 << 60, 1 << 64))
#: Bytes by which a size may be rounded up.
_ROUNDED = 8


def _share(sounds: list[tuple[int, int]], end: int) -> float:
    """The share of stretches of sound (their begin and the size they give) before ``end``."""
    if any(low <= size < high for _, size in sounds for low, high in _ENDLESS):
        return 1.0
    promised = sum(size for _, size in sounds)
    there = sum(max(0, min(size, end - begin)) for begin, size in sounds)
    return there / promised if 0 < there < promised - _ROUNDED else 1.0


#: The beginning of a FLAC stream: its mark and the header of its first block.
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22", re.DOTALL)


def goes_on(data: bytes) -> bool:
    """Whether FLAC frames stand in ``data``, which follows what a decoder heard: two at least."""
    found = 0
    for sync in re.finditer(rb"\xff[\xf8\xf9]", data):
        found += _is_flac_frame(data[sync.start() : sync.start() + 16])
        if found > 1:
            return True
    return False


def _is_flac_frame(head: bytes) -> bool:
    """Whether the header of a FLAC frame stands there, by its checksum."""
    if len(head) < 16 or head[2] >> 4 == 0 or head[3] & 1:
        return False
    # The number of the frame takes as many bytes as its first one has ones at its beginning.
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    if ones in (1, 8):
        return False
    more = {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    end = 4 + max(1, ones) + more
    checksum = 0
    for byte in head[:end]:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum << 1 ^ (0x107 if checksum & 0x80 else 0)
    return checksum == head[end]


#: Bytes of a file that are looked through before their memory is given back: a multiple of a page.
_STRETCH = 1 << 22


def _given_back(data: mmap.mmap, at: int, begin: int) -> int:
    """Give the memory from ``begin`` to ``at`` back, if it is much; where the rest begins.

    What was read of a mapped file counts as this process's memory until it is.
    """
    stretch = (at - begin) // _STRETCH * _STRETCH
    if stretch and hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED, begin, min(stretch, len(data) - begin))
    return begin + stretch


#: What recordings of other kinds begin with, as no sound has it by chance, and the bytes before it.
_OTHERS = ((b"OggS\0\2\0\0\0\0\0\0\0\0", 0), (b"WAVEfmt ", 8))
#: Kinds that can be told by their first bytes wherever these stand.
_PLAIN = ("WAV", "FLAC", "OGG", "Ogg FLAC", "Speex", "AIFF", "CAF")


def _begins(data: mmap.mmap, at: int) -> str | None:
    """The kind of the recording that begins at ``at``, in the middle of a file."""
    kind = kind_of(data[at : at + HEAD])
    if kind == "MP3":  # a tag may stand alone, and one frame be there by chance
        while at < len(data) and (size := tag_size(data, at)):
            at += size
        frame = _mpeg_frame(data, at)
        return kind if frame is not None and _run(data, at, frame)[0] > 2 else None
    return kind if kind in _PLAIN else None


def _flac_parts(data: mmap.mmap) -> Iterator[int]:
    """Where further FLAC streams begin, and the first recording of another kind behind them."""
    begin = 0
    while begin < len(data):
        # A mark may lie across the border.
        first, end = max(42, begin), min(len(data), begin + _STRETCH + 13)
        marks = [data.find(mark, first, end) - before for mark, before in _OTHERS]
        other = min((at for at in marks if at >= 42 and _begins(data, at)), default=end)
        for found in _FLAC.finditer(data, first, min(other, begin + _STRETCH + 7)):
            yield found.start()
        if other < end:
            yield other
            return
        begin += _STRETCH
        _given_back(data, begin, begin - _STRETCH)


#: Real files have a dozen; walking through more is what a hostile one wants.
_MOST_CHUNKS = 10_000


def _chunks(data: mmap.mmap, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Chunks of a RIFF file: their names, where their contents begin, the sizes they give."""
    at = 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            break
        name = data[at : at + 4]
        (size,) = struct.unpack_from(order + "I", data, at + 4)
        yield name, at + 8, size
        at += 8 + size + (size & 1)


#: Bytes behind a WAV's sound that are no tag and no slip of a writer.
_LEFT_BEHIND = 8_192


def _wav(data: mmap.mmap) -> Contents:
    """A WAV file; one that a recorder never finished has sizes of 0, or none at all."""
    order = ">" if data[:4] == b"RIFX" else "<"
    sounds: list[tuple[int, int]] = []
    for name, begin, size in _chunks(data, order):
        if name == b"data":
            sounds.append((begin, size))
        elif not sounds and not name.isascii():
            break
    if not sounds:
        return Contents("WAV", len(data))
    begin, size = sounds[0]
    wide = data[:4] in (b"RF64", b"BW64")
    if wide:
        (told,) = struct.unpack_from("<Q", data, 28)
        unfinished = data[12:16] == b"ds64" and told == 0
    else:
        unfinished = size == 0 and len(sounds) == 1 and not _well_formed(data, begin, order)
    if unfinished and begin < len(data):
        mended = _renewed(data, begin, [(begin, len(data))], order)
        return Contents("WAV", len(data), mended=mended)
    if wide and size == 0xFFFF_FFFF:
        return Contents("WAV", len(data), share=_share([(begin, told)], len(data)))
    share = _share(sounds, len(data))
    if len(parts := _wav_parts(data, order)) > 1:
        return Contents("WAV", len(data), parts)
    stretches = [(at, min(at + length, len(data))) for at, length in sounds if at < len(data)]
    if len(stretches) > 1:
        remark = f"holds its sound in {len(stretches)} pieces: other programs may stop after one"
        mended = _renewed(data, begin, stretches, order)
        return Contents("WAV", len(data), mended=mended, remark=remark, share=share)
    end = begin + size + (size & 1)
    untold: str | None = None
    if (
        len(data) - end > _LEFT_BEHIND
        and not _well_formed(data, end, order)
        and data[end : end + _LEFT_BEHIND].strip(b"\0")
        and not tag_size(data, end)
    ):
        kilobytes = (len(data) - end) // 1000
        untold = f"holds {kilobytes} kB that its header does not tell of: these are not heard"
    return Contents("WAV", len(data), remark=untold, share=share)


def _wav_parts(data: mmap.mmap, order: str) -> tuple[int, ...]:
    """Where recordings begin that stand behind each other, each where the one before it ends."""
    parts, at = [0], 0
    while data[at : at + 4] in (b"RIFF", b"RIFX"):
        size = struct.unpack_from(order + "I", data, at + 4)[0]
        at += 8 + size + (size & 1)
        if at + HEAD > len(data) or _begins(data, at) is None or len(parts) == _MOST_CHUNKS:
            break
        parts.append(at)
    return tuple(parts)


def _well_formed(data: mmap.mmap, begin: int, order: str) -> bool:
    """Whether chunks, and nothing else, stand from ``begin`` to the end."""
    at = begin
    while at + 8 <= len(data) and re.fullmatch(rb"[ -~]{4}", data[at : at + 4]):
        at += 8 + struct.unpack_from(order + "I", data, at + 4)[0]
        at += at & 1
    return len(data) - 1 <= at <= len(data) + 1


def _renewed(
    data: mmap.mmap, begin: int, sounds: list[tuple[int, int]], order: str
) -> tuple[bytes | tuple[int, int], ...]:
    """The file as one that ends with its sound, whose header says how long that is."""
    size = min(sum(end - at for at, end in sounds), 0xFFFF_FFFF)
    head = bytearray(data[: begin - 8])
    head[:4] = b"RIFX" if order == ">" else b"RIFF"
    struct.pack_into(order + "I", head, 4, min(size + begin - 8, 0xFFFF_FFFF))
    if head[12:16] == b"ds64":
        head[12:16] = b"JUNK"
    return bytes(head) + b"data" + struct.pack(order + "I", size), *sounds


#: Bytes of a CAF's sound that number its edits.
_EDITS = 4


def _caf(data: mmap.mmap) -> Contents:
    """A CAF file; libsndfile opens none that was written to a pipe (a size of -1) or is cut off."""
    at = 8
    while at + 12 <= len(data):
        name, size = struct.unpack_from(">4sq", data, at)
        left = len(data) - at - 12
        if name == b"data" and (size == -1 or size > left):
            length = struct.pack(">q", left)
            mended = (0, at + 4), length, (at + 12, len(data))
            begin = at + 12 + _EDITS
            share = 1.0 if size == -1 else _share([(begin, size - _EDITS)], len(data))
            return Contents("CAF", len(data), mended=mended, share=share)
        if size < 0:
            break
        at += 12 + size
    return Contents("CAF", len(data))


def _au(data: mmap.mmap) -> Contents:
    """An AU file; of one that gives a size of 2^31 and more libsndfile hears nothing."""
    order = ">" if data[:4] == b".snd" else "<"
    if len(data) < 12:
        return Contents("AU", len(data))
    begin, size = struct.unpack_from(order + "2I", data, 4)
    left = len(data) - begin
    if size <= left or left <= 0:
        return Contents("AU", len(data))
    mended = (0, 8), struct.pack(order + "I", min(left, 0xFFFF_FFFF)), (12, len(data))
    return Contents("AU", len(data), mended=mended, share=_share([(begin, size)], len(data)))


def _aiff(data: mmap.mmap) -> list[tuple[int, int]]:
    """The sound of an AIFF or 8SVX file, after 8 bytes of its place in the chunk."""
    for name, begin, size in _chunks(data, ">"):
        if name in (b"SSND", b"BODY"):
            place = 8 if name == b"SSND" else 0
            return [(begin + place, size - place)]
    return []


#: Contents of a chunk of W64 that begins with these bytes of its name; the size is the whole one's.
_W64_NAME, _W64_HEAD = b"data\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a", 24


def _w64(data: mmap.mmap) -> list[tuple[int, int]]:
    """The sound of a W64 file, whose chunks begin at multiples of 8."""
    at = 40
    for _ in range(_MOST_CHUNKS):
        if at + _W64_HEAD > len(data):
            break
        (size,) = struct.unpack_from("<Q", data, at + 16)
        if data[at : at + 16] == _W64_NAME:
            return [(at + _W64_HEAD, max(0, size - _W64_HEAD))]
        at += max(_W64_HEAD, size + 7 & ~7)
    return []


#: Blocks of VOC that hold sound, and how many bytes they say of it first.
_VOC_SOUND = {1: 2, 9: 12}


def _voc(data: mmap.mmap) -> list[tuple[int, int]]:
    """The sound of a VOC file's first block of sound: more of them libsndfile does not read."""
    if len(data) < 22:
        return []
    (at,) = struct.unpack_from("<H", data, 20)
    for _ in range(_MOST_CHUNKS):
        if at + 4 > len(data) or data[at] == 0:
            break
        size = int.from_bytes(data[at + 1 : at + 4], "little")
        if (said := _VOC_SOUND.get(data[at])) is not None:
            return [(at + 4 + said, size - said)]
        at += 4 + size
    return []


#: What an ASF file says of itself as a whole, and its bit for "written while it was sent".
_ASF_FILE, _ASF_SENT = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 1
#: Bytes of the header of its packets.
_ASF_DATA = 50


def _asf(data: mmap.mmap) -> list[tuple[int, int]]:
    """The packets of an ASF file (WMA), all of one size."""
    if len(data) < 30:
        return []
    (header,) = struct.unpack_from("<Q", data, 16)
    at = data.find(_ASF_FILE, 30, min(header, len(data)))
    if at < 0 or at + 100 > len(data):
        return []
    (packets,) = struct.unpack_from("<Q", data, at + 56)
    flags, least, most = struct.unpack_from("<3I", data, at + 88)
    if flags & _ASF_SENT or least != most:
        return []
    return [(header + _ASF_DATA, packets * most)]


#: Kinds whose header promises a size of their sound: stretches of it, with their sizes.
_PROMISED = {"AIFF": _aiff, "W64": _w64, "VOC": _voc, "WMA": _asf}


def _ogg_pages(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Where the pages of an Ogg file begin and end; the last one may end behind the file."""
    at = kept = 0
    while 0 <= at <= len(data) - 27:
        kept = _given_back(data, at, kept)
        if data[at : at + 4] == b"OggS":
            segments = data[at + 26]
            end = at + 27 + segments + sum(data[at + 27 : at + 27 + segments])
            yield at, end
            # A page that was cut off reaches into what follows it.
            whole = end >= len(data) or data[end : end + 4] == b"OggS"
            at = end if whole else data.find(b"OggS", at + 4)
        else:
            at = data.find(b"OggS", at)


def _ogg(data: mmap.mmap, kind: str) -> Contents:
    """An Ogg file: streams, or groups of them, that follow each other; another kind may be last.

    A part ends with a complete page that says that it is the last. (libsndfile's own log says so
    too, but not every time.)
    """
    parts: list[int] = []
    open_ends: list[int] = []
    beginning = closed = False
    last = 0  # where the newest whole page ends
    for at, end in _ogg_pages(data):
        begins = bool(data[at + 5] & 2)
        if begins and not beginning:
            if parts and not closed:
                open_ends.append(len(parts))
            parts.append(at)
        beginning = begins
        whole = end == len(data) or (end < len(data) and data[end : end + 4] == b"OggS")
        # Behind the last one anything may follow, a tag for instance.
        closed = bool(data[at + 5] & 4) and end <= len(data)
        last = end if whole or closed else last
    if not closed:
        open_ends.append(max(1, len(parts)))
    parts = [0, *parts[1:]]
    if _begins(data, last) not in (None, "OGG", "Ogg FLAC", "Speex"):
        parts.append(last)
    return Contents(kind, len(data), tuple(parts), open_ends=tuple(open_ends))


_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KBITS[2, 3] = _KBITS[2, 2]
#: Rates of MPEG 1; those of 2 and 2.5 are a half and a quarter.
_RATES = (44_100, 48_000, 32_000)


@dataclass(frozen=True, slots=True)
class _Frame:
    """An MPEG audio frame: its bytes, its samples, and what a decoder must not see change."""

    size: int
    samples: int
    rate: int
    layout: tuple[int, int, int, bool]


_frames: dict[int, _Frame | None] = {}


def _mpeg_frame(data: bytes | mmap.mmap, at: int) -> _Frame | None:
    """The frame whose header stands at ``at``, if one does."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] < 0xE0:
        return None
    key = data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3] & 0xC0
    if key not in _frames:
        _frames[key] = _parsed(key)
    return _frames[key]


def _parsed(key: int) -> _Frame | None:
    version = {3: 1.0, 2: 2.0, 0: 2.5}.get(key >> 19 & 3)
    layer = 4 - (key >> 17 & 3)
    kbits, rate = key >> 12 & 15, key >> 10 & 3
    if version is None or layer == 4 or kbits in (0, 15) or rate == 3:
        return None
    hertz = round(_RATES[rate] / {1.0: 1, 2.0: 2, 2.5: 4}[version])
    bits = 1000 * _KBITS[1 if version == 1.0 else 2, layer][kbits - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 1.0 else 1152
    padding = key >> 9 & 1
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * bits // hertz + padding) * slot
    mono = key & 0xC0 == 0xC0
    return _Frame(size, samples, hertz, (round(10 * version), layer, hertz, mono))


def tag_size(data: bytes | mmap.mmap, at: int) -> int:
    """Bytes of the tag (ID3, APE) that stands at ``at``; 0 for none."""
    head = data[at : at + 32]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 0
        for byte in head[6:10]:  # 7-bit bytes
            size = size << 7 | byte & 0x7F
        return 10 + size
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) >= 32:
        size, _, flags = struct.unpack_from("<3I", head, 12)
        return int(size) + (32 if flags & 1 << 29 else 0)
    return 0


def _after_tags(data: mmap.mmap) -> bytes:
    """The first bytes behind the tags at the beginning."""
    at = 0
    while at < len(data) and (size := tag_size(data, at)):
        at += size
    return data[at : at + HEAD]


def _index(data: bytes | mmap.mmap, at: int, frame: _Frame) -> tuple[int, int] | None:
    """Frames, and samples of padding, of an index (Xing, Info, VBRI) in the frame at ``at``."""
    version, _, _, mono = frame.layout
    side = (17 if mono else 32) if version == 10 else (9 if mono else 17)
    head = data[at : at + 4 + side + 160]
    xing = head[4 + side :]
    if xing[:4] in (b"Xing", b"Info") and len(xing) >= 12:
        flags, frames = struct.unpack_from(">2I", xing, 4)
        padding = 0
        place = 8 + 4 * bin(flags & 3).count("1") + 100 * bool(flags & 4) + 4 * bool(flags & 8)
        if len(xing) >= place + 24 and xing[place : place + 4] in (b"LAME", b"Lavf", b"Lavc"):
            delays = int.from_bytes(xing[place + 21 : place + 24])
            padding = (delays >> 12) + (delays & 0xFFF)
        return (frames if flags & 1 else 0), padding
    if head[36:40] == b"VBRI" and len(head) >= 54:
        return 0, 0  # whatever it says: libsndfile does not know this one, and guesses
    return None


def unfinished_index(data: bytes | mmap.mmap, at: int) -> int:
    """Bytes of the frame at ``at`` if it is an index that does not help libsndfile; else 0.

    A recorder that is killed leaves one whose number was never filled in, and libsndfile stops
    somewhere by it; so it does by a VBRI, whose number it does not read.
    """
    frame = _mpeg_frame(data, at)
    index = _index(data, at, frame) if frame is not None else None
    return frame.size if frame is not None and index is not None and index[0] == 0 else 0


#: Bytes without a frame in them after which what follows is taken for another recording.
_FOREIGN = 1_024


def _mp3(data: mmap.mmap) -> Contents:
    """An MP3 (or MP1, MP2) file, frame by frame.

    A new part begins where an index or a tag stands in the middle, where the rate, the number of
    channels or the kind changes, and after a stretch of something else.
    """
    at = kept = frames = told = 0
    parts: list[int] = []
    seconds = 0.0
    guessed = broken = True
    mended: tuple[tuple[int, int], ...] = ()
    layout: tuple[int, int, int, bool] | None = None
    behind: str | None = None
    while at + 4 <= len(data):
        kept = _given_back(data, at, kept)
        frame = _mpeg_frame(data, at)
        if frame is None:
            if frames and (behind := _begins(data, at)) not in (None, "MP3"):
                break
            behind = None
            if (size := tag_size(data, at)) and at + size < len(data):
                at += size
                broken = True
            elif (found := _resynced(data, at + 1)) is not None:
                broken = broken or found - at > _FOREIGN
                at = found
            else:
                break
            continue
        index = _index(data, at, frame) if broken or layout != frame.layout else None
        if broken or layout != frame.layout or (frames and index):
            parts.append(at)
        if index is not None and len(parts) == 1:
            told, padding = index
            guessed = told == 0
            if guessed:
                mended = ((at + frame.size, len(data)),)
            else:
                seconds -= padding / frame.rate
        else:
            seconds += frame.samples / frame.rate
            frames += 1
        layout, broken = frame.layout, False
        more, at = _run(data, at + frame.size, frame)
        seconds += more * frame.samples / frame.rate
        frames += more
    # Other recordings may follow without a tag between them: each begins with its own index.
    if len(parts) == 1 and not guessed and frames > told + 1:
        parts.append(len(data))
    length_s = max(0.0, seconds) if frames else None
    return Contents("MP3", len(data), (0, *parts[1:]), length_s, guessed, mended, behind=behind)


def _run(data: mmap.mmap, at: int, like: _Frame) -> tuple[int, int]:
    """How many frames of the layout of ``like`` follow each other from ``at`` on, and their end.

    Not past the stretch: it is called again. (A day of MP3 has three million frames.)
    """
    sizes: dict[bytes, int] = {}
    begin, count = at, 0
    while at < begin + _STRETCH:
        head = data[at : at + 4]
        size = sizes.get(head)
        if size is None:
            frame = _mpeg_frame(head, 0)
            if frame is None or frame.layout != like.layout:
                break
            size = sizes[head] = frame.size
        at += size
        count += 1
    return count, at


def _resynced(data: mmap.mmap, at: int) -> int | None:
    """Where the next two frames in a row begin."""
    while (at := data.find(b"\xff", at)) >= 0:
        frame = _mpeg_frame(data, at)
        if frame is not None:
            after = _mpeg_frame(data, at + frame.size)
            if after is not None and after.layout[:3] == frame.layout[:3]:
                return at
        at += 1
    return None
