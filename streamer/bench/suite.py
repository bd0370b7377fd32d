"""The whole bench, in the order of its report."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import streamer
from streamer.bench import (
    features,
    library,
    listening,
    live,
    networks,
    outputs,
    peers,
    processes,
    timing,
)
from streamer.bench.report import Claim, Report, Section
from streamer.bench.timing import music, write
from streamer.network.model import Model, load_model
from streamer.network.names import DEFAULT_MODEL


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Seconds for each call, of each file; runs of each process; streams; seconds of the dashboard
    alone and of a live session; of a library seconds of a song and files; of the slow part files
    and seconds of the long one.
    """

    seconds: float
    file_s: tuple[float, float]
    starts: int
    streams: tuple[int, ...]
    dashboard_s: float
    live_s: float
    library: tuple[float, int]
    slow: tuple[int, float]


_COUNTS = (1, 10, 100, 1000)
THOROUGH = Effort(2.0, (60.0, 1200.0), 7, _COUNTS, 5.0, 60.0, (120.0, 24), (10_000, 86_400.0))
QUICK = Effort(0.02, (4.0, 8.0), 1, (1, 10), 0.3, 0.0, (2.0, 2), (20, 120.0))


def run(model_name: str | None, *, quick: bool, slow: bool, tell: Callable[[str], None]) -> Report:
    """Measure everything; ``tell`` hears what is being measured.

    ``slow``: very many files and a very long one as well.
    """
    effort = QUICK if quick else THOROUGH
    model = load_model(model_name)
    sound = music(20.0, model.config.features.sample_rate)
    sections: list[Section] = []
    with tempfile.TemporaryDirectory() as folder:
        short, long = (Path(folder) / name for name in ("short.flac", "long.flac"))
        for path, seconds in zip((short, long), effort.file_s, strict=True):
            write(path, seconds)
        name = model_name or DEFAULT_MODEL
        minutes = [seconds / 60 for seconds in effort.file_s]
        parts: dict[str, Callable[[], list[Section]]] = {
            "MFCC": lambda: features.sections(model.mfcc, sound, effort.seconds),
            "chroma": lambda: features.chroma_sections(model, sound, effort.seconds),
            "the network": lambda: networks.sections(model, effort.seconds),
            "a live step": lambda: [listening.step(model, sound, effort.seconds)],
            "the callback": lambda: [listening.callback(effort.seconds)],
            "the dashboard": lambda: [listening.dashboard(model, sound, effort.dashboard_s)],
            "the outputs": lambda: [outputs.section(model, sound, effort.dashboard_s)],
            "a file": lambda: [listening.file(model, larger(model), long, effort.file_s[1])],
            "many streams": lambda: [
                listening.streams(model, sound, effort.streams, effort.seconds),
                listening.state(model, sound),
            ],
            "a library": lambda: library.sections(model, name, *effort.library),
            "its peers": lambda: peers.sections(short, effort.file_s[0], name),
            "the start": lambda: [processes.start(short, name, effort.starts)],
            "a live session": lambda: live.sections(model, name, effort.live_s, effort.starts),
            "memory": lambda: [processes.memory(short, long, minutes, name)],
        }
        if slow:
            parts["long runs"] = lambda: library.slow_sections(name, *effort.slow)
        for part, measure in parts.items():
            tell(f"measuring {part}")
            sections += measure()
    return Report(
        version=streamer.__version__,
        time=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        quick=quick,
        machine=timing.describe_machine(),
        model=facts(model),
        sections=tuple(sections),
        claims=tuple(claims(sections)),
    )


def facts(model: Model) -> dict[str, object]:
    """What a reader must know of the model that was measured."""
    sizes = model.config.features
    return {
        "name": model.name,
        "weights": sum(weight.size for weight in model.weights.values()),
        "multiply_adds": networks.multiply_adds(model.config.network),
        "coefficients": sizes.coefficients,
        "fft_size": sizes.fft_size,
        "hop_s": sizes.hop / sizes.sample_rate,
    }


def larger(model: Model) -> Model:
    """A network of the same kind with two LSTM layers of 256 units and arbitrary weights."""
    network = dataclasses.replace(model.config.network, lstm=256, layers=2)
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in network.shapes().items()
    }
    return Model("larger", dataclasses.replace(model.config, network=network), weights)


def claims(sections: list[Section]) -> list[Claim]:
    """What is promised, held against what was found."""
    by_title = {section.title.partition(" (")[0]: section for section in sections}

    def find(title: str) -> Section:
        return next(s for name, s in by_title.items() if name.startswith(title))

    mfcc, network = find("MFCC, one frame"), find("Network, one frame")
    start, memory, streams = find("Start"), find("Resident memory"), find("Streams in real time")

    def ratio(section: Section, over: str, under: str) -> float | None:
        above, below = section.value(over), section.value(under)
        return None if above is None or below is None else above / below

    ours = features.OURS
    return [
        Claim(
            "MFCC of one frame, beside its floor", ratio(mfcc, ours, features.FLOOR), "most", 1.3
        ),
        Claim(
            "python_speech_features on one frame, beside streamer",
            ratio(mfcc, features.PSF, ours),
            "least",
            7.0,
        ),
        Claim(
            "the network on one frame, beside ONNX Runtime",
            ratio(network, ours, networks.ONNX),
            "most",
            1.05,
        ),
        Claim(
            "the network on many frames a call, beside ONNX Runtime",
            ratio(find(f"Network, {networks.MANY}"), ours, networks.ONNX),
            "most",
            1.2,
        ),
        Claim(
            "PyTorch eager on one frame, beside streamer",
            ratio(network, networks.EAGER, ours),
            "least",
            3.0,
        ),
        Claim(
            "features and network of a file, times real time",
            find("A file").value(listening.WHOLE),
            "least",
            1000.0,
        ),
        Claim(
            "per cent of a core for every output together",
            find(outputs.TITLE).value(outputs.TOGETHER),
            "most",
            1.0,
        ),
        Claim(
            "per cent of a core for live --no-dashboard --jsonl",
            find(live.COST).value(live.LINES),
            "most",
            1.5,
        ),
        Claim(
            "per cent of a core for live with the dashboard",
            find(live.COST).value(live.DASHBOARD),
            "most",
            4.0,
        ),
        Claim(
            "per cent of a core for live --serve with a viewer",
            find(live.COST).value(live.PAGE),
            "most",
            2.5,
        ),
        Claim(
            "wake-ups of the busiest thread of live, beside a bare callback's",
            _busiest(find(live.BUSIEST)),
            "most",
            1.1,
        ),
        Claim(
            "seconds until the first picture of live",
            find(live.PICTURE).value("until it is drawn"),
            "most",
            0.5,
        ),
        Claim(
            "microseconds of a live step",
            find("Live step").value("one hop to one estimate"),
            "most",
            250.0,
        ),
        *(
            Claim(f"CPU time of annotate on {row.name}, beside its decoder", row.value, "most", 1.6)
            for row in find(library.COST).rows
        ),
        Claim(
            "per cent of the cores busy while a library is annotated",
            find(library.SHARES).value(library.BUSY),
            "least",
            95.0,
        ),
        Claim(
            "per cent of a file's CPU time for journal and table",
            find(library.SHARES).value(library.BOOKS),
            "most",
            2.0,
        ),
        Claim("seconds until --help has answered", start.value("--help"), "most", 0.25),
        Claim(
            "seconds until devices has answered, beyond PortAudio's initialisation",
            start.value("devices, beyond PortAudio's initialisation"),
            "most",
            0.5,
        ),
        Claim(
            "seconds until the first line of replay", start.value("replay: first line"), "most", 0.4
        ),
        Claim(
            "megabytes resident in a long replay",
            max((row.value for row in memory.rows if row.value is not None), default=None),
            "most",
            80.0,
        ),
        Claim("kilobytes of a stream's state", find(listening.STATE).rows[0].value, "most", 40.0),
        Claim(
            "streams in real time on one core",
            max((row.value for row in streams.rows if row.value is not None), default=None),
            "least",
            1000.0,
        ),
        *(_flat(by_title[library.MEMORY]) if library.MEMORY in by_title else ()),
    ]


def _flat(memory: Section) -> list[Claim]:
    """What is promised of the slow part: neither many files nor a long one fill the memory."""
    tenth, many, day = (row.value for row in memory.rows)
    names = ("ten times as many files", "a file of a day")
    return [
        Claim(
            f"memory of annotate on {name}, beside few short ones",
            value / tenth if value is not None and tenth else None,
            "most",
            1.2,
        )
        for name, value in zip(names, (many, day), strict=True)
    ]


def _busiest(section: Section) -> float | None:
    """The most wake-ups of a thread of any session, over those of the bare callback's."""
    floor = section.value(live.FLOOR)
    others = [row.value for row in section.rows if row.name != live.FLOOR and row.value is not None]
    return max(others) / floor if floor and others else None
