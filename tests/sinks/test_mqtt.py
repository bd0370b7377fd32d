"""MQTT at a real broker: announced, retained, away and back, refused, and never waited for."""

from __future__ import annotations

import dataclasses
import gc
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from receivers import Mosquitto, demand, free_port, wait_for
from scripted_session import estimate, noise, silence, start

pytest.importorskip("paho.mqtt", reason="extra 'mqtt'")

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from streamer.circumplex import colour, hex_colour
from streamer.sinks.mqtt import PASSWORD, USER, Broker, Mqtt, _identity

#: What the topic den/moods is called where only letters, digits, _ and - may be.
IDENTITY = "den_moods_7d1e5cec"


class Home:
    """A smart home: everything that a broker tells a new subscriber, by topic."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.messages: list[tuple[str, str, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.on_message = self._on_message
        ready: list[object] = []
        self._client.on_subscribe = lambda *told: ready.append(told)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("#")
        wait_for(lambda: ready, "a subscription")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append((message.topic, message.payload.decode(), message.retain))

    def now(self) -> dict[str, str]:
        """The newest payload of each topic."""
        return {topic: payload for topic, payload, _ in list(self.messages)}

    def count(self, topic: str) -> int:
        return [name for name, _, _ in list(self.messages)].count(topic)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def homes() -> Iterator[Callable[..., Home]]:
    made: list[Home] = []

    def enter(*arguments: Any) -> Home:
        made.append(Home(*arguments))
        return made[-1]

    try:
        yield enter
    finally:
        for home in made:
            home.leave()


def sink(url: str, told: list[str]) -> Mqtt:
    return Mqtt(Broker.parse(url, {}), told.append)


def test_every_topic_has_a_name_that_homes_find() -> None:
    """Of ASCII letters, digits, _ and - (Home Assistant's rule), and no two topics share one."""
    topics = [
        "streamer",
        "a_b",
        "a/b",
        "a b",
        "küche",
        "kuche",
        "音楽",
        "寝室",
        "/",
        "//",
        "salón/2",
    ]
    names = [_identity(topic) for topic in topics]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", name) for name in names)
    assert len(set(names)) == len(topics)
    assert names[:2] == topics[:2], "what can stay as it is does"


def test_a_home_finds_sensors_of_one_device(broker: Mosquitto, homes: Callable[..., Home]) -> None:
    """Each value has a retained announcement that names its topic, and its topic has the value."""
    told: list[str] = []
    moods = sink(f"mqtt://127.0.0.1:{broker.port}/den/moods", told)
    moods.write(start())
    moods.write(estimate(0.5, 0.31, -0.2))
    first = homes(broker.port)
    wait_for(lambda: len(first.now()) == 18, "nine topics, the status and eight announcements")
    moods.write(silence(1.0))
    wait_for(lambda: first.now()["den/moods/sound"] == "silence", "silence")
    moods.write(noise(1.25))
    wait_for(lambda: first.now()["den/moods/sound"] == "no music", "no music")
    assert first.now()["den/moods/music"] == "0.10"
    assert first.now()["den/moods/colour"] == "None"
    heard = estimate(1.5, 0.3, -0.2, level_db=-20.04)
    moods.write(dataclasses.replace(heard, music=0.9))
    wait_for(lambda: first.now()["den/moods/level"] == "-20.0", "the newest values")
    home = homes(broker.port)
    wait_for(lambda: len(home.messages) == 18, "what is retained")
    assert all(retained for _, _, retained in home.messages)
    seen = home.now()
    announced = {
        topic.split("/")[3]: json.loads(payload)
        for topic, payload in seen.items()
        if topic.startswith(f"homeassistant/sensor/{IDENTITY}/")
    }
    assert set(announced) == {
        "valence", "arousal", "quadrant", "mood", "colour", "sound", "music", "level",
    }  # fmt: skip
    state = {name: seen[sensor["state_topic"]] for name, sensor in announced.items()}
    assert state == {
        "valence": "0.300",
        "arousal": "-0.200",
        "quadrant": "calm",
        "mood": "serene",
        "colour": hex_colour(*colour(0.3, -0.2)),
        "sound": "music",
        "music": "0.90",
        "level": "-20.0",
    }
    for name in ("quadrant", "mood", "sound"):
        assert state[name] in announced[name]["options"]
    assert len({sensor["unique_id"] for sensor in announced.values()}) == 8
    assert {tuple(sensor["device"]["identifiers"]) for sensor in announced.values()} == {
        (IDENTITY,)
    }
    assert seen[announced["mood"]["availability_topic"]] == "online"
    chances = json.loads(seen[announced["quadrant"]["json_attributes_topic"]])
    assert sum(chances.values()) == pytest.approx(1, abs=0.002)
    moods.close()
    wait_for(lambda: home.now()["den/moods/status"] == "offline", "the end of the session")
    assert told == []


def test_a_value_is_sent_when_it_changes(broker: Mosquitto, homes: Callable[..., Home]) -> None:
    """At most one message an estimate and value, and none for a value that stayed."""
    home = homes(broker.port)
    moods = sink(f"mqtt://127.0.0.1:{broker.port}", [])
    moods.write(start())
    wait_for(lambda: "streamer/status" in home.now(), "a connection")
    for step in range(20):
        moods.write(estimate(0.5 * step, 0.3 + 0.001 * step, 0.05))
        wait_for(lambda n=step: home.count("streamer/valence") == n + 1, "a value")
    moods.write(silence(11))
    wait_for(lambda: home.now()["streamer/sound"] == "silence", "silence")
    assert home.count("streamer/mood") == 2
    assert home.now()["streamer/mood"] == home.now()["streamer/valence"] == "None"
    assert home.count("streamer/arousal") == 2
    moods.close()


def test_a_broker_that_goes_away_and_comes_back(
    broker: Mosquitto, homes: Callable[..., Home]
) -> None:
    """Told once when it is gone, once when it is back; then it has everything anew."""
    told: list[str] = []
    moods = sink(f"mqtt://127.0.0.1:{broker.port}", told)
    moods.write(start())
    moods.write(estimate(0.5))
    home = homes(broker.port)
    wait_for(lambda: "streamer/mood" in home.now(), "the first values")
    broker.stop()
    wait_for(lambda: told, "the loss to be told")
    for step in range(50):
        moods.write(estimate(1 + step, -0.5, -0.2))
    broker.start()
    wait_for(lambda: len(told) == 2, "the return to be told")
    again = homes(broker.port)
    wait_for(lambda: len(again.now()) == 18, "everything anew")
    assert again.now()["streamer/mood"] == "sad"
    moods.close()
    assert told[0].startswith(f"MQTT to 127.0.0.1:{broker.port} is cut off (the connection ended")
    assert told[1:] == [f"MQTT to 127.0.0.1:{broker.port} works again"]


def test_a_broker_that_is_not_there_yet(tmp_path: Path, homes: Callable[..., Home]) -> None:
    """A session may begin before the broker does: it is told once, and tried until it is there."""
    later = Mosquitto(tmp_path)
    told: list[str] = []
    moods = sink(f"mqtt://127.0.0.1:{later.port}", told)
    begun = time.monotonic()
    moods.write(start())
    for step in range(1000):
        moods.write(estimate(step))
    assert time.monotonic() - begun < 10
    wait_for(lambda: told, "its absence to be told")
    later.start()
    try:
        wait_for(lambda: len(told) == 2, "its arrival to be told")
        home = homes(later.port)
        wait_for(lambda: home.now().get("streamer/mood") == "serene", "the newest value")
        moods.close()
    finally:
        later.stop()
    assert told == [
        f"MQTT to 127.0.0.1:{later.port} is cut off (Connection refused): "
        "it is tried again until it works",
        f"MQTT to 127.0.0.1:{later.port} works again",
    ]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Starts a broker with one user, ``ada``, who may do what the rules say; gives its port."""
    demand("mosquitto", "mosquitto_passwd")
    words, acl = tmp_path / "passwords", tmp_path / "acl"
    words.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(words), "ada", "love@lace"], check=True)
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {words}\nacl_file {acl}")

    def begin(rules: str) -> int:
        acl.write_text(rules)
        acl.chmod(0o600)
        broker.start()
        return broker.port

    try:
        yield begin
    finally:
        broker.stop()


def test_a_password_that_is_refused_and_one_that_is_not(
    locked: Callable[[str], int], homes: Callable[..., Home]
) -> None:
    """A wrong one is told once, with the broker's word; the right one is in the environment."""
    port = locked("user ada\ntopic readwrite #\n")
    told: list[str] = []
    wrong = sink(f"mqtt://ada:guess@127.0.0.1:{port}", told)
    wrong.write(start())
    wait_for(lambda: told, "the refusal")
    wrong.write(estimate(0.5))
    wrong.close()
    assert len(told) == 1
    assert "Not authorized" in told[0]
    assert wrong.contact.is_lost

    secrets = {USER: "ada", PASSWORD: "love@lace"}
    where = Broker.parse(f"mqtt://127.0.0.1:{port}", secrets)
    assert "love@lace" not in repr(where)
    assert Broker.parse(f"mqtt://ada:love%40lace@127.0.0.1:{port}", {}) == where
    right = Mqtt(where, told.append)
    right.write(start())
    right.write(estimate(0.5))
    home = homes(port, "ada", "love@lace")
    wait_for(lambda: home.now().get("streamer/mood") == "serene", "a value")
    right.close()
    assert len(told) == 1


def test_a_topic_that_may_not_be_written(locked: Callable[[str], int]) -> None:
    """A broker that lets this user write elsewhere alone is told of once, with the topic."""
    port = locked("user ada\ntopic readwrite kitchen/#\ntopic write +/status\n")
    told: list[str] = []
    moods = sink(f"mqtt://ada:love%40lace@127.0.0.1:{port}", told)
    moods.write(start())
    wait_for(lambda: told, "the refusal")
    moods.write(estimate(0.5))
    moods.close()
    assert len(told) == 1
    assert "does not take homeassistant/sensor/streamer/valence/config" in told[0]
    assert "Not authorized" in told[0]


# paho-mqtt leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``mqtts`` takes a broker whose certificate the system trusts, and refuses any other."""
    demand("mosquitto", "openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    broker = Mosquitto(tmp_path, f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}")
    broker.start()
    told: list[str] = []
    try:
        stranger = sink(f"mqtts://127.0.0.1:{broker.port}", told)
        stranger.write(start())
        wait_for(lambda: told, "the certificate to be refused")
        stranger.close()
        gc.collect()
        assert "certificate verify failed" in told[0].lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert ssl.get_default_verify_paths().cafile == str(certificate)
        known = sink(f"mqtts://127.0.0.1:{broker.port}", told)
        known.write(start())
        wait_for(known._client.is_connected, "a connection")
        known.close()
        assert len(told) == 1
    finally:
        broker.stop()


def test_a_broker_that_does_not_answer_is_not_waited_for() -> None:
    """A port that takes connections and says nothing: writing returns at once, the end soon."""
    with socket.create_server(("127.0.0.1", 0)) as dead:
        told: list[str] = []
        moods = sink(f"mqtt://127.0.0.1:{dead.getsockname()[1]}", told)
        begun = time.monotonic()
        moods.write(start())
        for step in range(1000):
            moods.write(estimate(step))
        written = time.monotonic()
        moods.close()
        assert written - begun < 10
        assert time.monotonic() - written < 10
        assert told == [
            f"MQTT to 127.0.0.1:{dead.getsockname()[1]} is cut off (no answer): "
            "it is tried again until it works"
        ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://home", "mqtt://HOST"),
        ("mqtt://", "mqtt://HOST"),
        ("home:1883", "mqtt://HOST"),
        ("mqtt://home:99999", "no such host or port"),
        (f"mqtt://{'a' * 70}", "no such host or port"),
        ("mqtt://home/a/%23", "topic that cannot be written"),
        ("mqtt://home/a/+/b", "topic that cannot be written"),
        ("mqtt://home/$SYS/a", "topic that cannot be written"),
        ("mqtt://home/a//b", "topic that cannot be written"),
        ("mqtt://home?discovery=%2B", "topic that cannot be written"),
        ("mqtt://home?retain=1", "discovery= and nothing else"),
    ],
)
def test_addresses_that_cannot_be(url: str, why: str) -> None:
    """What is no broker, or a topic that only a subscriber may name, is refused in a clause."""
    with pytest.raises(ValueError, match=why):
        Broker.parse(url, {})


def test_discovery_can_be_left_out(broker: Mosquitto, homes: Callable[..., Home]) -> None:
    """``?discovery=`` announces nothing; the values are there all the same."""
    assert shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/bin")
    home = homes(broker.port)
    moods = sink(f"mqtt://127.0.0.1:{broker.port}?discovery=", [])
    moods.write(start())
    moods.write(estimate(0.5))
    wait_for(lambda: "streamer/mood" in home.now(), "a value")
    moods.close()
    assert all(topic.startswith("streamer/") for topic in home.now())


def test_the_port_is_the_usual_one() -> None:
    """1883, or 8883 with TLS, where none is named."""
    assert Broker.parse("mqtt://home", {}).port == 1883
    assert Broker.parse("mqtts://home", {}).port == 8883
    assert Broker.parse(f"mqtt://home:{free_port()}", {}).tls is False
