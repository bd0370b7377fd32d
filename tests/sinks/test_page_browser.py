"""The page in a real Chromium: where the point is, what is transparent, and coming back."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from receivers import demand, free_port, wait_for
from scripted_session import estimate, noise, silence, start, wander

from streamer.circumplex import MOODS, colour
from streamer.events import End, Event, Gap
from streamer.sinks.page import Page

pytest.importorskip("websockets", reason="extra 'web'")
pytest.importorskip("selenium", reason="extra 'test'")

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "page_screenshot.py"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program that makes the manual's picture: it knows how a browser is opened."""
    spec = importlib.util.spec_from_file_location("page_screenshot", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def chromium(program: ModuleType) -> Iterator[Chrome]:
    """One browser for all that is looked at here."""
    demand("chromium", "chromedriver")
    with program.open_browser() as opened:
        yield opened


@pytest.fixture
def browser(chromium: Chrome, program: ModuleType) -> Iterator[Chrome]:
    """The browser at an empty page of usual size, for a viewer who minds no motion."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    program.resize(chromium, 1280, 720)
    chromium.get_log("browser")
    yield chromium
    chromium.get("about:blank")


@pytest.fixture
def page() -> Iterator[Page]:
    served = Page(port=0)
    try:
        yield served
    finally:
        served.close()


def ask(browser: Chrome, script: str) -> Any:
    """The value of a JavaScript expression in the page."""
    return browser.execute_script(f"return {script}")


def see(browser: Chrome, expression: str, what: str) -> None:
    """Wait until the page knows something, and has drawn it: it draws once a frame."""
    wait_for(lambda: ask(browser, expression), what)
    browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")


def show(page: Page, *events: Event) -> None:
    for event in events:
        page.write(event)


def text(browser: Chrome, selector: str) -> str:
    return str(ask(browser, f"document.querySelector('{selector}').textContent"))


#: Where the point's middle is, in units of the plane.
PLACE = """(() => {
  const field = document.querySelector(".field svg").getBoundingClientRect();
  const point = document.querySelector("#point").getBoundingClientRect();
  const place = (low, size, begin, length) => 2.24 * ((low + size / 2 - begin) / length - .5);
  return [place(point.x, point.width, field.x, field.width),
          -place(point.y, point.height, field.y, field.height)];
})()"""


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@pytest.mark.parametrize("size", [(1280, 720), (300, 560), (1920, 1080)])
def test_the_point_is_where_the_estimate_says(
    browser: Chrome, page: Page, program: ModuleType, motion: str, size: tuple[int, int]
) -> None:
    """To a hundredth of the plane, corners included, on every screen; with its word and colour."""
    still = [{"name": "prefers-reduced-motion", "value": motion}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
    program.resize(browser, *size)
    show(page, start())
    browser.get(page.url)
    for number, point in enumerate([(0.31, -0.22), (-1.0, 1.0), (1.0, -1.0), (-0.5, -0.4)]):
        judged = estimate(1.0 + number, *point)
        show(page, judged)
        see(browser, f"latest && latest.t === {judged.t}", "the estimate")
        if motion == "reduce":
            assert ask(browser, PLACE) == pytest.approx(point, abs=0.01)
        wait_for(lambda p=point: ask(browser, PLACE) == pytest.approx(p, abs=0.01), "the point")
        assert text(browser, ".mood") == judged.mood
        tint = ask(browser, "getComputedStyle(document.querySelector('#point')).fill")
        seen = [int(part) for part in tint.removeprefix("rgb(").removesuffix(")").split(",")]
        assert seen == pytest.approx([255 * part for part in colour(*point)], abs=1)
    assert browser.get_log("browser") == []


def test_reduced_motion_stands_still(browser: Chrome, page: Page) -> None:
    """Nothing glides for a viewer who asks for that; for others the point does."""
    show(page, start(), estimate(0.5), estimate(1.0))
    moving = "getComputedStyle(document.querySelector('#place')).transitionDuration !== '0s'"
    for wish, glides in (("no-preference", True), ("reduce", False)):
        features = [{"name": "prefers-reduced-motion", "value": wish}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(page.url)
        see(browser, "latest && latest.t === 1", "the estimates")
        show(page, estimate(1.0))
        see(browser, f"({moving}) === {str(glides).lower()}", wish)


def pixels(program: ModuleType, browser: Chrome) -> np.ndarray:
    """What is seen: (rows, columns, 3 or 4), in 0 to 1."""
    from matplotlib.image import imread

    return np.asarray(imread(io.BytesIO(program.photograph(browser)), format="png"))


def test_an_overlay_is_transparent(browser: Chrome, page: Page, program: ModuleType) -> None:
    """Around the words nothing is painted at all; the page itself paints every pixel."""
    program.resize(browser, 600, 200)
    show(page, start(), estimate(0.5, 0.4, 0.4))
    browser.get(f"{page.url}?overlay=word")
    see(browser, "document.querySelector('.mood').textContent === 'excited'", "the word")
    alpha = pixels(program, browser)[..., 3]
    assert alpha[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [0, 0, 0, 0]
    assert 0.2 < (alpha == 0).mean() < 0.95
    assert alpha.max() == 1
    ground = "getComputedStyle(document.body).backgroundColor"
    assert ask(browser, ground) == "rgba(0, 0, 0, 0)"
    browser.get(page.url)
    see(browser, "latest", "an estimate")
    assert pixels(program, browser).shape[2] == 3  # a picture without a clear pixel has no alpha
    assert browser.get_log("browser") == []


SHOWN = """[...document.body.children].filter((part) => part.id && part.offsetHeight > 0)
  .map((part) => part.id)"""


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("", ["head", "word", "plane", "chances", "numbers", "level", "curves"]),
        ("?overlay", ["word", "plane"]),
        ("?overlay=plane", ["plane"]),
        ("?overlay=curves,level,nonsense", ["level", "curves"]),
    ],
)
def test_only_what_is_asked_for_is_shown(
    browser: Chrome, page: Page, query: str, parts: list[str]
) -> None:
    """The whole page, or the parts that the overlay names."""
    show(page, start(), estimate(0.5))
    browser.get(page.url + query)
    see(browser, "latest", "an estimate")
    assert ask(browser, SHOWN) == parts


@pytest.mark.parametrize(
    ("size", "scrolls"),
    [((300, 700), True), ((390, 844), True), ((800, 600), False), ((1280, 720), False),
     ((3840, 2160), False)],
)  # fmt: skip
def test_it_fits_from_a_phone_to_a_wall(
    browser: Chrome, page: Page, program: ModuleType, size: tuple[int, int], scrolls: bool
) -> None:
    """Never wider than the window, nor higher where it is wide; the word is large everywhere."""
    program.resize(browser, *size)
    show(page, start("a name that is much longer than any window is wide.flac" * 3))
    show(page, *(estimate(k / 2, *wander(k / 2)) for k in range(1, 240)))
    show(page, estimate(121, -0.5, 0.26))
    browser.get(page.url)
    see(browser, "latest && latest.t === 121", "the estimates")
    wide, high = ask(
        browser, "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= size[0]
    if not scrolls:
        assert high <= size[1]
    letters = ask(browser, "parseFloat(getComputedStyle(document.querySelector('.mood')).fontSize)")
    assert letters >= max(38, size[1] / 20)
    word = ask(
        browser,
        "(() => { const r = document.createRange(); r.selectNodeContents("
        "document.querySelector('.mood')); return r.getBoundingClientRect().right; })()",
    )
    assert text(browser, ".mood") == "troubled"
    assert word <= size[0]


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_the_themes_read(browser: Chrome, page: Page, theme: str) -> None:
    """Letters stand out from their ground by 4.5 to 1 at least, 7 to 1 where contrast is asked."""
    show(page, start(), estimate(0.5))
    browser.get(f"{page.url}?theme={theme}")
    see(browser, "latest", "an estimate")
    ground = rgb(ask(browser, "getComputedStyle(document.body).backgroundColor"))
    for selector in ("header .name", ".beside", "#numbers .value", ".times .to"):
        ink = rgb(ask(browser, f"getComputedStyle(document.querySelector('{selector}')).color"))
        assert contrast(ink, ground) >= (7 if theme == "contrast" else 4.5), selector


def rgb(code: str) -> np.ndarray:
    return np.array([float(part) for part in code[code.index("(") + 1 : -1].split(",")[:3]]) / 255


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The contrast of two colours (WCAG 2)."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    dark, bright = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in linear)
    return (bright + 0.05) / (dark + 0.05)


def test_silence_gaps_and_the_end_are_told(browser: Chrome, page: Page) -> None:
    """Silence has its word and no point; what was lost is marked; the end is said."""
    show(page, start(), estimate(0.5), Gap(0.5, 0.5, 8000, False, "ring overrun"), silence(1.5))
    browser.get(page.url)
    see(browser, "document.querySelector('.mood').textContent === 'silence'", "silence")
    assert ask(browser, "document.querySelector('#place').getAttribute('visibility')") == "hidden"
    assert ask(browser, "document.querySelectorAll('.curve .gap').length") == 2
    assert ask(browser, "document.querySelectorAll('.curve .quiet').length") == 2
    assert ask(browser, "document.querySelector('#gap-mark').offsetWidth > 0")
    show(page, noise(2.0))
    see(browser, "document.querySelector('.mood').textContent === 'no music'", "no music")
    assert text(browser, "#level .value:last-child") == "10 %"
    show(page, End(2.0, 2, 20, 1, 8000, 0.1))
    see(browser, "document.querySelector('#status').textContent.includes('ended')", "the end")
    assert browser.get_log("browser") == []


def test_a_late_viewer_sees_the_curves(browser: Chrome, page: Page) -> None:
    """Whoever opens the page after minutes sees both curves from the beginning."""
    show(page, start(), *(estimate(k / 2, *wander(k / 2)) for k in range(1, 401)))
    browser.get(page.url)
    see(browser, "latest && latest.t === 200", "the newest")
    for name in ("valence", "arousal"):
        drawn = ask(browser, f"document.querySelector('.curve.{name} .mean').getAttribute('d')")
        numbers = [pair.split() for pair in drawn.replace("M", "L").split("L") if pair]
        assert len(numbers) == 400
        at = {"valence": 0, "arousal": 1}[name]
        values = [-float(y) for _, y in numbers]
        assert values == pytest.approx([wander(k / 2)[at] for k in range(1, 401)], abs=1e-3)
    assert text(browser, ".times .from") == "0:00"
    assert text(browser, ".times .to") == "3:20"


def test_it_comes_back_by_itself(browser: Chrome) -> None:
    """A page whose program went away says so, and shows the next session without being asked."""
    port = free_port()
    first = Page(port=port)
    show(first, start("first.flac"), estimate(0.5))
    browser.get(f"http://127.0.0.1:{port}/")
    see(browser, "latest", "an estimate")
    first.close()
    see(browser, "document.querySelector('#status').textContent.includes('lost')", "the loss")
    second = Page(port=port)
    try:
        show(second, start("second.flac"), estimate(7.5, -0.4, 0.1))
        see(browser, "latest && latest.t === 7.5", "the next session")
        assert text(browser, "header .name") == "second.flac"
        assert text(browser, "#status") == ""
        assert ask(browser, "points.length") == 1
    finally:
        second.close()


def test_names_are_text(browser: Chrome, page: Page) -> None:
    """A file's name cannot put anything into the page."""
    name = "<img src=x onerror='document.title=\"broken\"'>"
    show(page, start(name), estimate(0.5))
    browser.get(page.url)
    see(browser, "latest", "an estimate")
    assert text(browser, "header .name") == name
    assert ask(browser, "document.title") == "streamer"
    assert ask(browser, "document.querySelectorAll('img').length") == 0
    assert browser.get_log("browser") == []


def test_a_page_may_be_open_for_a_week(browser: Chrome, page: Page) -> None:
    """What it keeps is bounded, and goes back to the beginning."""
    show(page, start(), estimate(0.5))
    browser.get(page.url)
    see(browser, "latest", "an estimate")
    browser.execute_script(
        "const line = latest; for (let k = 2; k < 20000; k++) take({ ...line, t: k / 2 });"
    )
    kept, first, newest = ask(browser, "[points.length, points[0].t, points.at(-1).t]")
    assert kept <= 2401
    assert (first, newest) == (0.5, 9999.5)


def test_nothing_comes_from_elsewhere(browser: Chrome, page: Page) -> None:
    """The page asks for nothing but its own lines, and knows every word of the plane."""
    show(page, start(), estimate(0.5))
    browser.get(page.url)
    see(browser, "latest", "an estimate")
    asked = ask(browser, "performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in asked if not name.startswith("data:")] == []
    words = ask(browser, "[...document.querySelectorAll('.ring text')].map((e) => e.textContent)")
    assert set(words) == set(MOODS.values())


def test_the_picture_of_the_manual_is_made_by_a_command(
    chromium: Chrome,
    program: ModuleType,
    model_directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The screenshot program plays the clip into a page and writes a picture of the size asked."""
    out = tmp_path / "page.png"
    wishes = [str(out), "--at", "4", "--model", str(model_directory), "--size", "640x400"]
    monkeypatch.setattr("sys.argv", ["page_screenshot.py", *wishes])
    opened: Callable[[], Any] = lambda: contextlib.nullcontext(chromium)  # noqa: E731
    monkeypatch.setattr(program, "open_browser", opened)
    program.main()
    from matplotlib.image import imread

    picture = imread(out)
    assert picture.shape[:2] == (400, 640)
    assert picture[..., :3].std() > 0.05
