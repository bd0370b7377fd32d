# streamer in a container: without a word it replays the example clip, and its lines go to `docker logs`.
#
#   docker build -t streamer .
#   docker run --rm streamer
#   docker run --rm -e PULSE_SERVER=unix:/run/pulse/native \
#     -v "$XDG_RUNTIME_DIR/pulse/native:/run/pulse/native" --user "$(id -u)" \
#     streamer live --device monitor
#
# The second hears what the desktop plays, through the socket of its PulseAudio (or PipeWire's);
# nothing else of the machine is in sight. CI builds no containers, and this one has not been built yet:
# its parts are tried, the packages by the live tests, the rest on 3.13 by tests/trust/pythons.py.
FROM python:3.13-slim

RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    libportaudio2 pulseaudio-utils libasound2-plugins \
  && rm -rf /var/lib/apt/lists/* \
  && printf 'pcm.!default { type pulse }\nctl.!default { type pulse }\n' > /etc/asound.conf

COPY . /usr/src/streamer
RUN pip install --no-cache-dir '/usr/src/streamer[osc,mqtt,web]' \
  && install -D -m 644 /usr/src/streamer/examples/four_moods.flac /usr/share/streamer/four_moods.flac \
  && rm -rf /usr/src/streamer

# A user without rights; PulseAudio's client wants a home to write its cookie to.
RUN useradd --create-home listener
USER listener
ENV HOME=/tmp

ENTRYPOINT ["streamer"]
CMD ["replay", "/usr/share/streamer/four_moods.flac", "--speed", "max"]
