"""Open a report in headless Chromium several times; print what was seen, as JSON.

Usage: python open_report.py CHROMIUM ADDRESS ROUNDS

opened: for each round, milliseconds from the navigation until the groups are in the page, and until
    their pictures are decoded and the frame is painted; then those of a turn of the page and of
    a filter
asked: all addresses that the page requested
said: what the page wrote to the console, errors included

Runs in an environment that has Playwright.
"""

import json
import sys
from typing import Any

from playwright.sync_api import sync_playwright

WATCH = """
new MutationObserver((_, watch) => {
  if (!document.querySelector('.card')) return;
  watch.disconnect();
  window.built = performance.now();
  Promise.all([...document.images].map((image) => image.decode())).then(() =>
    requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); })));
}).observe(document, { childList: true, subtree: true });
"""
STEP = """
(step) => new Promise((done) => {
  const began = performance.now();
  step(); requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})
"""
TURN = f"({STEP})(() => document.getElementById('next').click())"
FILTER = (
    f"({STEP})(() => {{ const f = document.getElementById('filter'); "
    "f.value = 'copy-7'; f.dispatchEvent(new Event('input')); })"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    """Open, and print."""
    chromium, address, rounds = sys.argv[1:]
    found: dict[str, list[Any]] = {"opened": [], "asked": [], "said": []}
    with sync_playwright() as playwright:
        for _ in range(int(rounds)):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.on("request", lambda request: found["asked"].append(request.url))
            page.on("console", lambda message: found["said"].append(message.text))
            page.on("pageerror", lambda error: found["said"].append(str(error)))
            page.add_init_script(WATCH)
            page.goto(address)
            page.wait_for_function("window.painted")
            times = page.evaluate("[window.built, window.painted]")
            found["opened"].append([*times, page.evaluate(TURN), page.evaluate(FILTER)])
            browser.close()
    found["asked"] = [url for url in found["asked"] if not url.startswith("data:")]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
