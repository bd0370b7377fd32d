"""Contact with a receiver in the network: lost and found again, each told once.

A lamp or a broker may be away for a second or a night. A sink that sends over the network never
gives it up and never waits for it: it tries again with what it has to say next, and a
:class:`Contact` remembers which of the two it told last.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

Tell = Callable[[str], None]
#: Who is told where nobody asked to be.
LOG: Tell = logging.getLogger("streamer").warning


class Contact:
    """Whether a receiver, called ``name``, can be reached; ``tell`` gets the sentences for people.

    >>> lamp = Contact("OSC to lamp:9000", print)
    >>> lamp.lost("Network is unreachable")
    OSC to lamp:9000 is cut off (Network is unreachable): it is tried again until it works
    >>> lamp.lost("Network is unreachable")
    >>> lamp.works()
    OSC to lamp:9000 works again
    """

    def __init__(self, name: str, tell: Tell) -> None:
        self._name = name
        self._tell = tell
        self._lock = threading.Lock()
        #: Whether the receiver is out of reach, as far as is known.
        self.is_lost = False

    def lost(self, reason: str) -> None:
        """It cannot be reached: told where the last attempt worked, or there was none."""
        with self._lock:
            told, self.is_lost = self.is_lost, True
        if not told:
            self._tell(f"{self._name} is cut off ({reason}): it is tried again until it works")

    def works(self) -> None:
        """It was reached: told where it had been lost."""
        with self._lock:
            lost, self.is_lost = self.is_lost, False
        if lost:
            self._tell(f"{self._name} works again")
