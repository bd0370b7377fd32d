"""What the bytes of a sound file say that libsndfile does not pass on (reliably)."""

from __future__ import annotations

from pathlib import Path

_MAGIC = {
    b"RIFF": "WAV",
    b"RIFX": "WAV",
    b"RF64": "WAV",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
}


def kind(head: bytes) -> str | None:
    """The kind of sound file that begins with ``head`` (four bytes are enough), if it is one."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    return None


def mp3_has_index(path: Path) -> bool:
    """Whether an MP3 file begins with an index, which knows its length.

    Without one the length is guessed from the bit rate at the beginning.
    """
    with path.open("rb") as stream:
        head = stream.read(10)
        start = 0
        if head.startswith(b"ID3"):  # a tag, often with a picture: its length is in 7-bit bytes
            for byte in head[6:]:
                start = start << 7 | byte & 0x7F
            start += len(head)
        stream.seek(start)
        frame = stream.read(256)
    return any(index in frame for index in (b"Xing", b"Info", b"VBRI"))


def ogg_is_whole(path: Path) -> bool:
    """Whether an Ogg file ends with a complete page that says that it is the last.

    (libsndfile's own log says so too, but not every time.)
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 70_000))  # a page has at most 65,307 bytes
        tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return False
    segments = page[26]
    return len(page) >= 27 + segments + sum(page[27 : 27 + segments])
