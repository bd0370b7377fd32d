"""The picture of the page in the manual, from the example clip and the model of the package.

    python examples/page_screenshot.py [--at SECONDS] [--model NAME|DIR] [--size WxH] [--query Q]
                                       [OUT.png]

plays `four_moods.flac` as fast as it goes up to a moment (18 s: music that has just turned tense)
into the page that `--serve` serves, opens that in a real Chromium (Debian: chromium,
chromium-driver) by way of Selenium, and writes `page.png` beside itself, or OUT.png. `--query` is
what stands after the address, such as `overlay=word`: what is transparent stays so.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.wait import WebDriverWait

from streamer.audio.files import FileSource
from streamer.audio.pacing import Paced, SystemClock
from streamer.network.model import load_model
from streamer.session import Session
from streamer.sinks.page import Page
from streamer.tracker import EmotionTracker

HERE = Path(__file__).resolve().parent
#: Nothing but the page: no first steps, no updates, no calls home.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


@contextlib.contextmanager
def open_browser() -> Iterator[Chrome]:
    """A Chromium that has never been used, closed afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver"))
        try:
            yield browser
        finally:
            browser.quit()


def resize(browser: Chrome, width: int, height: int) -> None:
    """Give the page this size in pixels, whatever the window's borders take."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def photograph(browser: Chrome) -> bytes:
    """What is seen, as PNG; where the page paints nothing, the picture is transparent."""
    clear = {"color": {"r": 0, "g": 0, "b": 0, "a": 0}}
    browser.execute_cdp_cmd("Emulation.setDefaultBackgroundColorOverride", clear)
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(taken["data"])


def main() -> None:
    """Read the command line and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", nargs="?", type=Path, default=HERE / "page.png")
    parser.add_argument("--at", type=float, default=18.0, help="seconds into the clip")
    parser.add_argument("--model", help="a model's name or directory")
    parser.add_argument("--size", default="1120x630", help="pixels, as WIDTHxHEIGHT")
    parser.add_argument("--query", default="theme=dark", help="what stands after the address")
    options = parser.parse_args()
    model = load_model(options.model)
    page = Page(port=0)
    with contextlib.closing(page), open_browser() as browser:
        resize(browser, *(int(pixels) for pixels in options.size.split("x")))
        # The picture stands still: nothing glides while it is taken.
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
        # The session closes its sinks; the page is looked at after it.
        still_open = SimpleNamespace(write=page.write, close=lambda: None)
        Session(
            Paced(FileSource(HERE / "four_moods.flac"), math.inf, SystemClock()),
            EmotionTracker(model),
            [still_open],
            duration_s=options.at,
        ).run()
        browser.get(f"{page.url}?{options.query}")
        last = f"return points.length > 0 && points.at(-1).t >= {options.at - 1}"
        WebDriverWait(browser, 30).until(lambda opened: opened.execute_script(last))
        browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")
        options.out.write_bytes(photograph(browser))
    print(options.out)


if __name__ == "__main__":
    main()
