"""Opens a report in headless Chromium and looks at it: see browser.sh.

Speaks the DevTools protocol over a pair of pipes, so that nothing but Python and the browser is needed.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HEADINGS = [
    "Verdict",
    "Findings",
    "Levels by kernel",
    "Layout maps",
    "Divergence along the layers",
    "ULP histograms",
    "Mutation matrix",
    "Speed",
    "Trend",
    "Provenance",
]
VIEWS = [(1280, 900, False), (390, 844, True)]
SCHEMES = ["light", "dark"]

# What a reader could not see or reach. Folds are opened first: what is in them has to fit too.
LOOK = """
(() => {
  document.querySelectorAll('details').forEach(fold => { fold.open = true; });
  const root = document.documentElement;
  const wide = [...document.querySelectorAll('body *')]
    .filter(element => !element.closest('.scroll') && !element.closest('pre'))
    .filter(element => element.getBoundingClientRect().right > root.clientWidth + 1)
    .map(element => element.tagName + ': ' + element.textContent.slice(0, 60));
  return {
    overflow: root.scrollWidth - root.clientWidth,
    wide: wide.slice(0, 5),
    headings: [...document.querySelectorAll('h2')].map(heading => heading.textContent),
    empty: [...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().height < 50).length,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.querySelector('svg text')).fill,
  };
})()
"""


class Browser:
    """A browser with one page, which notes what the page asks for and complains of."""

    def __init__(self, command, profile):
        to_browser, self.requests = os.pipe()
        self.answers, from_browser = os.pipe()

        def descriptors():
            # The browser reads from descriptor 3 and writes to 4.
            spare = [os.dup(to_browser), os.dup(from_browser)]
            os.dup2(os.dup(spare[0]), 3)
            os.dup2(os.dup(spare[1]), 4)

        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
        self.process = subprocess.Popen(
            [command, *options, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=descriptors,
            close_fds=False,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.pending = b""
        self.number = 0
        self.session = None
        self.complaints = []
        self.fetched = []
        self.events = set()
        pages = self.ask("Target.getTargets")["targetInfos"]
        page = next(target for target in pages if target["type"] == "page")
        attached = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """The answer of the browser; what happens until then is noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self):
        while b"\0" not in self.pending:
            read = os.read(self.answers, 1 << 20)
            if not read:
                raise RuntimeError("the browser has ended")
            self.pending += read
        text, self.pending = self.pending.split(b"\0", 1)
        message = json.loads(text)
        method, parameters = message.get("method"), message.get("params", {})
        if method:
            self.events.add(method)
        if method == "Network.requestWillBeSent":
            self.fetched.append(parameters["request"]["url"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(parameters)[:200])
        return message

    def open(self, address):
        self.events.discard("Page.loadEventFired")
        self.ask("Page.navigate", url=address)
        while "Page.loadEventFired" not in self.events:
            self.read()

    def close(self):
        self.session = None
        self.ask("Browser.close")
        self.process.wait(timeout=30)


def look(browser, address, pictures):
    """Everything that is wrong with the page, in words."""
    wrong = []
    papers = set()
    for width, height, mobile in VIEWS:
        for scheme in SCHEMES:
            name = f"{width}-{scheme}"
            browser.ask(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
            )
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.ask("Emulation.setEmulatedMedia", features=media)
            browser.open(address)
            picture = browser.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
            (pictures / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))
            seen = browser.ask("Runtime.evaluate", expression=LOOK, returnByValue=True)["result"]["value"]
            if seen["overflow"] > 0 or seen["wide"]:
                wrong.append(f"{name}: {seen['overflow']} pixels too wide: {seen['wide']}")
            if seen["headings"] != HEADINGS:
                wrong.append(f"{name}: headings are {seen['headings']}")
            if seen["empty"]:
                wrong.append(f"{name}: {seen['empty']} drawings have no height")
            if seen["paper"] == seen["ink"]:
                wrong.append(f"{name}: words of drawings are {seen['ink']} on {seen['paper']}")
            papers.add((scheme, seen["paper"]))
    if len({paper for _, paper in papers}) != len(SCHEMES):
        wrong.append(f"the schemes have the same paper: {sorted(papers)}")
    wrong.extend(f"console: {complaint}" for complaint in browser.complaints)
    outside = [url for url in browser.fetched if url != address and not url.startswith("data:")]
    wrong.extend(f"fetches {url}" for url in outside)
    return wrong


def main():
    command, page, pictures = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(command, profile)
        try:
            wrong = look(browser, page.resolve().as_uri(), pictures)
        finally:
            browser.close()
    for what in wrong:
        print(f"wrong: {what}")
    if not wrong:
        print(f"{len(VIEWS) * len(SCHEMES)} views of {page}, nothing wrong; screenshots in {pictures}")
    return 1 if wrong else 0


sys.exit(main())
