"""A report in a real browser: nothing is fetched, nothing fails, everything can be seen, in light and in dark."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from outputs import written
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from worlds import acting

from sim.quality.dataset import open_dataset
from sim.quality.report.report import report

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WIDE, NARROW = 1300, 420
WORLD = acting(
    200,
    "5/month",
    entity={"arrivals": {"rate": "1/day"}, "segments": {"tier": {"vip": {"weight": 1}, "plain": {"weight": 3}}}},
    stream={"attributes": {"amount": {"type": "lognormal", "median": 20, "sigma": 0.5}}},
)
SEEN = """
const plots = [...document.querySelectorAll('.plot')].filter(plot => getComputedStyle(plot).display !== 'none');
const sizes = plots.map(plot => plot.querySelector('svg').getBoundingClientRect()).map(box => [box.width, box.height]);
const themes = [...new Set(plots.map(plot => plot.className))];
const figures = document.querySelectorAll('figure').length;
return {sizes, themes, figures, ground: getComputedStyle(document.body).backgroundColor,
        wide: document.documentElement.scrollWidth};
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    written(WORLD, f"parquet:{folder}/data")
    with open_dataset(f"{folder}/data") as data:
        report(data).write(folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser(address):
    if not (BROWSER and DRIVER):
        if os.environ.get("CI") == "true" or os.environ.get("DATAGEN_REQUIRE_BROKER") == "1":
            pytest.fail("chromium and chromedriver are needed here")
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--window-size={WIDE},900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.get(address)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def seen(browser):
    """What is there to be seen, by what the reader's system prefers."""
    found = {}
    for theme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        found[theme] = browser.execute_script(SEEN)
    return found


def test_nothing_fails_and_nothing_is_fetched(browser, seen, address):
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert set(urls) - {"data:,"} == {address}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_chart_is_seen_once_and_has_a_size(seen, theme):
    assert seen[theme]["themes"] == [f"plot {theme}"]
    assert len(seen[theme]["sizes"]) == seen[theme]["figures"] > 5
    assert all(width > 200 and height > 60 for width, height in seen[theme]["sizes"])


def test_the_dark_page_is_dark(seen):
    light, dark = (sum(map(int, seen[theme]["ground"][4:-1].split(","))) for theme in ("light", "dark"))
    assert dark < 150 < 600 < light


def test_the_switch_overrules_what_the_system_prefers(browser, seen):
    browser.execute_script("document.getElementById('ground-light').checked = true")
    assert browser.execute_script(SEEN)["themes"] == ["plot light"]
    browser.execute_script("document.getElementById('ground-auto').checked = true")


def test_paper_is_light(browser, seen):
    media = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    assert browser.execute_script(SEEN)["themes"] == ["plot light"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_narrow_window_does_not_scroll_sideways(browser, seen):
    size = {"width": NARROW, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script(SEEN)["wide"] <= NARROW
