"""MFCC and chroma, one frame a call and many, beside other makers of each and a floor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import python_speech_features as psf
import scipy.fft
from numpy.typing import NDArray

from streamer.bench.report import Section, timed
from streamer.bench.timing import Call, side_by_side
from streamer.features.chroma import Chroma
from streamer.features.framing import Framing
from streamer.features.mfcc import FeatureConfig, Mfcc
from streamer.network.model import Model

OURS, FLOOR, PSF = "streamer", "floor in NumPy", "python_speech_features"
KALDI, LIBROSA = "kaldi-native-fbank", "librosa"
Rows = NDArray[np.float64]
_ABSENT = "not installed"
#: The floor works on as many frames at a time as it does best with.
_FLOOR_FRAMES = 16


def sections(mfcc: Mfcc, music: NDArray[np.float32], seconds: float) -> list[Section]:
    """One frame a call, and all frames of ``music`` (mono, at the model's rate) a call."""
    one, missing = one_frame(mfcc, music)
    single = side_by_side(one, seconds)
    all_frames, _ = many_frames(mfcc, music)
    count = len(frames_of(mfcc.config, music))
    many = side_by_side(all_frames, seconds)
    unit = "µs a frame"
    return [
        Section("MFCC, one frame a call", unit, timed(single, missing)),
        Section(f"MFCC, {count} frames a call", unit, timed(many, missing, per=count)),
    ]


def chroma_sections(model: Model, music: NDArray[np.float32], seconds: float) -> list[Section]:
    """Chroma rows of one frame a call and of all frames of ``music``; none without harmony."""
    chroma, config = model.chroma, model.config.features
    if chroma is None:
        return []
    frames = frames_of(config, music)
    found = []
    for part, name in ((frames[1:2], "one frame"), (frames, f"{len(frames)} frames")):
        count = len(part)
        calls: dict[str, Call] = {OURS: chroma_call(chroma, part)}
        librosa = _librosa_chroma(config, music, count)
        if librosa is not None:
            calls[LIBROSA] = librosa
        missing = {} if librosa is not None else {LIBROSA: _ABSENT}
        timings = timed(side_by_side(calls, seconds), missing, per=count)
        found.append(Section(f"Chroma, {name} a call", "µs a frame", timings))
    return found


def chroma_call(chroma: Chroma, frames: NDArray[np.float64]) -> Callable[[], Rows]:
    """A call that makes the rows of ``frames`` in the middle of a stream."""
    _, window = chroma.windows(frames[:1], chroma.initial_window())
    harmony = chroma.initial()

    def call() -> Rows:
        windows, _ = chroma.windows(frames, window)
        return chroma.rows(chroma.facts(windows), harmony)[0]

    return call


def _librosa_chroma(config: FeatureConfig, music: NDArray[np.float32], frames: int) -> Call | None:
    """Librosa's chroma of as many windows of about the same length; None where it is absent."""
    try:
        from librosa.feature import chroma_stft
    except ImportError:
        return None
    assert config.chroma is not None, "asked for where there is harmony"
    length = config.chroma.window * config.chroma.decimation
    # Like a stream's, the first windows begin before the sound.
    padded = np.pad(music, (length - config.frame, 0))
    samples = padded[: length + (frames - 1) * config.hop]
    return lambda: chroma_stft(
        y=samples,
        sr=config.sample_rate,
        n_fft=length,
        hop_length=config.hop,
        center=False,
        tuning=0.0,  # or it would look for the tuning of the whole signal
    )


def rows_of(model: Model, frames: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows (count, inputs) as the network is fed them, the level left in."""
    rows = [model.mfcc.rows(frames)]
    if model.chroma is not None:
        rows.append(chroma_call(model.chroma, frames)())
    return np.concatenate(rows, axis=1).astype(np.float32)


def frames_of(config: FeatureConfig, samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """All complete frames, with the sample before each."""
    framing = Framing(config.frame, config.hop)
    return framing.cut(samples, framing.initial())[0]


def one_frame(mfcc: Mfcc, music: NDArray[np.float32]) -> tuple[dict[str, Call], dict[str, str]]:
    """A call a frame for each maker, and what is missing."""
    config = mfcc.config
    frame = frames_of(config, music)[1:2]
    alone = np.ascontiguousarray(frame[:, 1:])
    samples = alone[0]
    calls: dict[str, Call] = {
        OURS: lambda: mfcc.rows(frame),
        FLOOR: _floor(config, alone),
        PSF: lambda: _psf(config, samples),
    }
    kaldi, librosa = _kaldi(config), _librosa(config)
    if kaldi is not None:
        stream = kaldi()
        hop = samples[: config.hop].astype(np.float32)
        stream.accept_waveform(config.sample_rate, samples.astype(np.float32))

        def next_frame() -> Any:
            stream.accept_waveform(config.sample_rate, hop)
            newest = stream.num_frames_ready - 1
            row = stream.get_frame(newest)
            stream.pop(1)
            return row

        calls[KALDI] = next_frame
    if librosa is not None:
        # It takes a frame to be as long as the FFT.
        padded = np.pad(samples, (0, config.fft_size - config.frame))
        calls[LIBROSA] = lambda: librosa(padded)
    return calls, {name: _ABSENT for name in (KALDI, LIBROSA) if name not in calls}


def many_frames(mfcc: Mfcc, music: NDArray[np.float32]) -> tuple[dict[str, Call], dict[str, str]]:
    """A call for all frames of ``music`` for each maker, and what is missing."""
    config = mfcc.config
    frames = frames_of(config, music)
    doubles = music.astype(np.float64)
    calls: dict[str, Call] = {
        OURS: lambda: mfcc.rows(frames),
        FLOOR: _floor(config, frames[:, 1:]),
        PSF: lambda: _psf(config, doubles),
    }
    kaldi, librosa = _kaldi(config), _librosa(config)
    if kaldi is not None:
        block = config.sample_rate // 100

        def in_blocks() -> Any:
            stream = kaldi()
            for begin in range(0, len(music), block):
                stream.accept_waveform(config.sample_rate, music[begin : begin + block])
            return np.stack([stream.get_frame(k) for k in range(stream.num_frames_ready)])

        calls[KALDI] = in_blocks
    if librosa is not None:
        calls[LIBROSA] = lambda: librosa(music)
    return calls, {name: _ABSENT for name in (KALDI, LIBROSA) if name not in calls}


def _floor(config: FeatureConfig, frames: NDArray[np.float64]) -> Call:
    """Window, rfft, one matrix product, log, one DCT product, and nothing else."""
    window = config.window_values()
    bank = psf.get_filterbanks(
        config.filters, config.fft_size, config.sample_rate, config.low_hz, config.high_hz
    )
    bank = np.ascontiguousarray(bank.T)
    dct = scipy.fft.dct(np.eye(config.filters), type=2, axis=1, norm="ortho")
    dct = np.ascontiguousarray(dct[:, : config.coefficients])

    def few(part: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.fft.rfft(part * window, config.fft_size)
        power = spectrum.real**2 + spectrum.imag**2
        rows: NDArray[np.float64] = np.log(power.dot(bank)).dot(dct)
        return rows

    if len(frames) == 1:
        return lambda: few(frames)
    starts = range(0, len(frames), _FLOOR_FRAMES)
    return lambda: np.concatenate([few(frames[k : k + _FLOOR_FRAMES]) for k in starts])


def _psf(config: FeatureConfig, samples: NDArray[np.float64]) -> Any:
    return psf.mfcc(
        samples,
        samplerate=config.sample_rate,
        winlen=config.frame / config.sample_rate,
        winstep=config.hop / config.sample_rate,
        numcep=config.coefficients,
        nfilt=config.filters,
        nfft=config.fft_size,
        lowfreq=config.low_hz,
        highfreq=config.high_hz,
        preemph=config.preemphasis,
        ceplifter=config.lifter,
        appendEnergy=config.append_energy,
        winfunc=np.hamming,
    )


def _kaldi(config: FeatureConfig) -> Any:
    """A function that begins a stream with the same sizes; None where it is not installed."""
    try:
        import kaldi_native_fbank as kaldi
    except ImportError:
        return None
    options = kaldi.MfccOptions()
    options.frame_opts.samp_freq = config.sample_rate
    options.frame_opts.frame_length_ms = 1000 * config.frame / config.sample_rate
    options.frame_opts.frame_shift_ms = 1000 * config.hop / config.sample_rate
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = config.filters
    options.mel_opts.low_freq = config.low_hz
    options.mel_opts.high_freq = config.high_hz
    options.num_ceps = config.coefficients
    options.use_energy = False
    return lambda: kaldi.OnlineMfcc(options)


def _librosa(config: FeatureConfig) -> Any:
    """A function of samples with the same sizes; None where it is not installed."""
    try:
        from librosa.feature import mfcc
    except ImportError:
        return None
    return lambda samples: mfcc(
        y=samples,
        sr=config.sample_rate,
        n_mfcc=config.coefficients,
        n_fft=config.fft_size,
        win_length=config.frame,
        hop_length=config.hop,
        window="hamming",
        center=False,
        n_mels=config.filters,
        fmin=config.low_hz,
        fmax=config.high_hz,
        htk=True,
    )
