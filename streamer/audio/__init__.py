"""Where samples come from: files, raw PCM and sound devices, brought to the model's rate.

A sample of a sound device goes this way:

1. ``portaudio`` (or ``parec``): the callback mixes the channels to one (``source.Downmix``), stamps
   the block and copies it into the ``ring``: nothing else happens in it, and it never waits.
2. ``capture``: the capturing process, which may be killed and started again, empties the ring.
3. ``link``: the pipe that carries its messages to the listening process.
4. ``microphone``: the source; ``sample_clock`` puts the losses between the blocks.
5. ``wav``: the source's pieces kept in a file, where that is asked for.
6. ``resample``: to the model's rate; what cannot be sound becomes a loss; then the tracker.

``files`` (with ``containers`` and ``decoder``) and ``pcm`` are sources as well, slowed down to the
speed of sound by ``pacing``; ``devices`` knows which inputs there are and which one is meant.
"""
