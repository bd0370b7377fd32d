"""MQTT: each value of an estimate as a retained topic, announced to Home Assistant.

For smart homes (MQTT 5, docs.oasis-open.org): ``streamer/valence`` and its like, and a message for
each that Home Assistant's discovery makes a sensor of one device from. paho-mqtt's thread talks to
the broker; the session's thread only hands over what changed, and what cannot be sent is left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamer.circumplex import MOODS, colour, hex_colour
from streamer.errors import MissingExtraError
from streamer.events import QUADRANTS, Estimate, Event, Start
from streamer.sinks.contact import Contact, Tell

if TYPE_CHECKING:
    from paho.mqtt.client import Client

TOPIC = "streamer"
DISCOVERY = "homeassistant"
#: Where a user's name and password are looked for that the URL does not hold.
USER, PASSWORD = "STREAMER_MQTT_USER", "STREAMER_MQTT_PASSWORD"
_SCHEMES = {"mqtt": 1883, "mqtts": 8883}
#: After so many seconds without an answer the broker is gone; how long between attempts, at most.
_KEEPALIVE_S, _RETRY_S = 15, 30
#: How long the end of the session waits for the broker.
_FAREWELL_S = 1.0
#: What Home Assistant takes for "unknown".
_UNKNOWN = "None"
_SOUNDS = ("music", "silence", "no music")

#: What Home Assistant is told of each value, beside its topic.
_SENSORS: dict[str, dict[str, Any]] = {
    "valence": {
        "name": "Valence",
        "state_class": "measurement",
        "suggested_display_precision": 2,
        "icon": "mdi:emoticon-happy-outline",
    },
    "arousal": {
        "name": "Arousal",
        "state_class": "measurement",
        "suggested_display_precision": 2,
        "icon": "mdi:pulse",
    },
    "quadrant": {
        "name": "Quadrant",
        "device_class": "enum",
        "options": list(QUADRANTS),
        "icon": "mdi:view-grid-outline",
    },
    "mood": {
        "name": "Mood",
        "device_class": "enum",
        "options": [*MOODS.values(), "neutral"],
        "icon": "mdi:music-circle-outline",
    },
    "colour": {"name": "Colour", "icon": "mdi:palette-outline"},
    "sound": {
        "name": "Sound",
        "device_class": "enum",
        "options": list(_SOUNDS),
        "icon": "mdi:ear-hearing",
    },
    "music": {
        "name": "Music",
        "state_class": "measurement",
        "suggested_display_precision": 2,
        "icon": "mdi:music-note",
    },
    "level": {
        "name": "Level",
        "state_class": "measurement",
        "unit_of_measurement": "dB",
        "suggested_display_precision": 0,
        "icon": "mdi:volume-high",
    },
}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where values are published: a broker, who we are there, and the topic that they are under.

    ``discovery``: the topic that Home Assistant listens to, "" for no announcement.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    topic: str = TOPIC
    discovery: str = DISCOVERY

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str] = os.environ) -> Broker:
        """The broker of ``mqtt://[USER[:PASSWORD]@]HOST[:PORT][/TOPIC][?discovery=TOPIC]``.

        ``mqtts`` for TLS; user and password may be in ``environment`` instead, where other users
        of the machine do not see them. Raises ``ValueError`` with a clause.

        >>> Broker.parse("mqtt://home.local/den", {})
        Broker(host='home.local', port=1883, tls=False, user=None, topic='den', \
discovery='homeassistant')
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.fragment:
            raise ValueError("is not mqtt://HOST[:PORT][/TOPIC], or mqtts:// for TLS")
        try:
            port = parts.port
            parts.hostname.encode("idna")
        except ValueError:
            raise ValueError("has no such host or port") from None
        asked = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        if set(asked) - {"discovery"}:
            raise ValueError("knows ?discovery= and nothing else")
        topic = urllib.parse.unquote(parts.path).strip("/") or TOPIC
        discovery = asked.get("discovery", [DISCOVERY])[-1].strip("/")
        for name in (topic, discovery):
            if re.search(r"[#+\0]|//|^\$", name) or len(name.encode(errors="replace")) > 200:
                raise ValueError("has a topic that cannot be written to: no #, +, $ or empty part")
        return cls(
            host=parts.hostname,
            port=port or _SCHEMES[parts.scheme],
            tls=parts.scheme == "mqtts",
            user=_unquoted(parts.username) or environment.get(USER),
            password=_unquoted(parts.password) or environment.get(PASSWORD),
            topic=topic,
            discovery=discovery,
        )


class Mqtt:
    """Publishes each estimate at a broker from the first event on; ``tell`` is told of its absence.

    A value is sent when it has changed, at most once an estimate, and is retained. A broker that
    is away or refuses is tried again by paho-mqtt until it answers; then it gets everything anew.
    Raises ``MissingExtraError`` where paho-mqtt is not installed.
    """

    def __init__(self, broker: Broker, tell: Tell) -> None:
        try:
            from paho.mqtt import client as paho
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise MissingExtraError("--mqtt", "paho-mqtt", "mqtt") from None
        self._broker = broker
        self.contact = Contact(f"MQTT to {broker.host}:{broker.port}", tell)
        self._start: Start | None = None
        self._lock = threading.Lock()  # of these two; held only while messages are handed over
        self._values: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._topics: dict[int, str] = {}  # of what the broker has yet to confirm
        self._ending = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, _RETRY_S)
        self._client.max_queued_messages_set(100)
        self._client.connect_timeout = 5.0
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            import ssl

            self._client.tls_set_context(ssl.create_default_context())
        self._client.will_set(self._topic("status"), "offline", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    def write(self, event: Event) -> None:
        """Hand over what changed; nothing is waited for."""
        if isinstance(event, Start) and self._start is None:
            self._start = event
            self._client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S)
            try:
                self._client.loop_start()
            except OSError as error:  # paho wants a socket to wake its thread by
                self.contact.lost(error.strerror or str(error))
        elif isinstance(event, Estimate):
            with self._lock:
                self._values = values(event)
            self._publish_changes()

    def close(self) -> None:
        """Publish the last values and that it is over; takes a second at most for each."""
        if self._start is None or self._ending:
            return
        ended = threading.Thread(target=self._end, name="mqtt-end", daemon=True)
        ended.start()
        ended.join(3 * _FAREWELL_S)

    def _end(self) -> None:
        # A short session may be over before the broker has answered.
        waited = threading.Event()
        for _ in range(round(_FAREWELL_S / 0.02)):
            if self._client.is_connected() or self.contact.is_lost:
                break
            waited.wait(0.02)
        if self._client.is_connected():
            self._publish_changes()
            self._ending = True
            last = self._client.publish(self._topic("status"), "offline", qos=1, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):
                last.wait_for_publish(_FAREWELL_S)
        elif not self.contact.is_lost:
            self.contact.lost("no answer")
        self._ending = True
        self._client.disconnect()
        self._client.loop_stop()

    def _topic(self, name: str) -> str:
        return f"{self._broker.topic}/{name}"

    def _publish_changes(self) -> None:
        """Publish the values that the broker has not got."""
        with self._lock:
            # What a broker that reads slowly, or no longer, has not got yet is not piled up.
            if not self._client.is_connected() or self._client.want_write():
                return
            for name, value in self._values.items():
                if self._sent.get(name) != value:
                    self._client.publish(self._topic(name), value, retain=True)
                    self._sent[name] = value

    def _on_connect(
        self, _client: Client, _data: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if reason.is_failure:
            self.contact.lost(f"the broker says: {reason}")
            return
        self.contact.works()
        with self._lock:
            self._sent.clear()
        self._topics.clear()
        for topic, payload in self._announcements():
            sent = self._client.publish(topic, payload, qos=1, retain=True)
            self._topics[sent.mid] = topic

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        # paho calls this where it has caught the reason, and does not hand it over.
        error = sys.exception()
        self.contact.lost(str(getattr(error, "strerror", None) or error or "no answer"))

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if not self._ending:
            self.contact.lost(f"the connection ended: {reason}")

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: Any, _properties: object
    ) -> None:
        topic = self._topics.pop(mid, None)
        if topic is not None and reason.is_failure:
            self.contact.lost(f"the broker does not take {topic}: {reason}")
        self._publish_changes()

    def _announcements(self) -> list[tuple[str, str]]:
        """Topic and payload of what every new connection begins with."""
        messages = [(self._topic("status"), "online")]
        if not self._broker.discovery or self._start is None:
            return messages
        identity = _identity(self._broker.topic)
        about = {
            "availability_topic": self._topic("status"),
            "device": {
                "identifiers": [identity],
                "name": self._broker.topic,
                "manufacturer": "emotion-streamer",
                "model": self._start.model,
                "sw_version": self._start.version,
            },
            "origin": {"name": "emotion-streamer", "sw_version": self._start.version},
        }
        for name, sensor in _SENSORS.items():
            own = {"unique_id": f"{identity}_{name}", "state_topic": self._topic(name)}
            if name == "quadrant":
                own["json_attributes_topic"] = self._topic("chances")
            payload = json.dumps({**sensor, **own, **about}, ensure_ascii=False)
            messages.append((f"{self._broker.discovery}/sensor/{identity}/{name}/config", payload))
        return messages


def _identity(topic: str) -> str:
    """A name for a device by which Home Assistant finds it: of letters, digits, _ and - alone.

    Two topics never share one: where something had to be replaced, a few digits tell them apart.
    """
    plain = re.sub(r"[^a-zA-Z0-9_-]+", "_", topic)
    if plain == topic:
        return plain
    return f"{plain.strip('_')}_{hashlib.sha256(topic.encode()).hexdigest()[:8]}".lstrip("_")


def values(estimate: Estimate) -> dict[str, str]:
    """The payload of each topic for an estimate; what is not judged is ``None``."""
    found = {
        "level": f"{estimate.level_db:.1f}",
        "sound": estimate.sound,
        "music": _UNKNOWN if estimate.music is None else f"{estimate.music:.2f}",
    }
    if estimate.valence is None or estimate.arousal is None:
        unknown = dict.fromkeys(("valence", "arousal", "quadrant", "mood", "colour"), _UNKNOWN)
        return found | unknown | {"chances": "{}"}
    chances = {name: round(share, 3) for name, share in (estimate.quadrant_p or {}).items()}
    return found | {
        "valence": f"{estimate.valence:.3f}",
        "arousal": f"{estimate.arousal:.3f}",
        "quadrant": str(estimate.quadrant),
        "mood": str(estimate.mood),
        "colour": hex_colour(*colour(estimate.valence, estimate.arousal)),
        "chances": json.dumps(chances),
    }


def _unquoted(part: str | None) -> str | None:
    return None if part is None else urllib.parse.unquote(part)
