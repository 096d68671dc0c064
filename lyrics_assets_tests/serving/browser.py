"""A headless Chromium, driven over its DevTools protocol: real keys, real clicks, a real network that can be cut.

It talks through a pair of pipes, which needs no package, and the browser ends when they close. Nothing here sleeps: a
page says when a condition has come true.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

SECONDS = 20
"""No condition is waited for longer; a machine that does much else needs some of them."""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--lang=pt-BR",
    "--remote-debugging-pipe",
)
_KEYS = {"Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, ""), "Space": (" ", 32, " "), "Escape": ("Escape", 27, "")}
_KEYS |= {"Backspace": ("Backspace", 8, ""), "Home": ("Home", 36, ""), "End": ("End", 35, "")}
_KEYS |= {"ArrowLeft": ("ArrowLeft", 37, ""), "ArrowUp": ("ArrowUp", 38, "")}
CONTROL, SHIFT = 2, 8


def find_chromium() -> str | None:
    """Return where a Chromium is, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class BrowserError(AssertionError):
    """The browser refused a command, or a condition never came true."""


class Browser:
    """One Chromium process; each page has a profile of its own."""

    def __init__(self, program: str, profile: Path) -> None:
        read_commands, self._write = os.pipe()
        self._read, write_answers = os.pipe()
        # By way of free numbers: either pipe may have the other's, and would be closed before it is passed on.
        script = f'exec {{read}}<&{read_commands} {{write}}>&{write_answers}; exec "$@" 3<&$read 4>&$write'
        command = ["bash", "-c", script, "chromium", program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        profile.mkdir(exist_ok=True)
        self._told = profile / "stderr.log"
        with self._told.open("wb") as log:
            self._process = subprocess.Popen(
                command, pass_fds=(read_commands, write_answers), stdout=subprocess.DEVNULL, stderr=log
            )
        os.close(read_commands)
        os.close(write_answers)
        self._buffer = b""
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._pages: dict[str, Page] = {}
        self.events: list[dict[str, Any]] = []
        """What the browser itself told, such as the progress of downloads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrowserError, OSError):
            self.call("Browser.close")
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        _write_all(self._write, json.dumps(message).encode() + b"\0")
        self.listen(lambda: number in self._answers, f"an answer to {method}", SECONDS + 10)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def listen(self, happened: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
        """Take in messages until something has happened; return what it is."""
        end = time.monotonic() + seconds
        while not (found := happened()):
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise BrowserError(f"waited {seconds} s in vain for {what}; {self._last_words()}")
            if not (chunk := os.read(self._read, 1 << 20)):
                raise BrowserError(f"the browser has ended instead of {what}; {self._last_words()}")
            *messages, self._buffer = (self._buffer + chunk).split(b"\0")
            for message in map(json.loads, messages):
                self._sort(message)
        return found

    def _last_words(self) -> str:
        return f"it said:\n{self._told.read_text(errors='replace')[-2000:]}"

    def _sort(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif page := self._pages.get(message.get("sessionId", "")):
            page.events.append(message)
        else:
            self.events.append(message)

    @contextlib.contextmanager
    def page(self, width: int = 1280, height: int = 800) -> Iterator["Page"]:
        """Open an empty page with storage of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        yield page
        self.call("Target.disposeBrowserContext", browserContextId=context)
        del self._pages[session]


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self.events: list[dict[str, Any]] = []
        """What the page has told so far."""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command for this page and return its result."""
        return self._browser.call(method, self._session, **parameters)

    # What it looks like

    def resize(self, width: int, height: int, *, scale: float = 1, phone: bool = False) -> None:
        """Give the page another size, or a phone's screen and fingers."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def emulate(self, **features: str) -> None:
        """Set media features, such as prefers_color_scheme="dark"."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def screenshot(self, path: Path) -> None:
        """Save what can be seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    # Where it is

    def run_first(self, script: str) -> None:
        """Run a script before those of any page that is opened from now on."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, address: str) -> None:
        """Go to an address, until it is loaded."""
        self._load(lambda: self.call("Page.navigate", url=address))

    def reload(self) -> None:
        """Load the page again; whatever it asks before it is left, it gets no answer."""
        self._load(lambda: self.call("Page.reload"))

    def _load(self, go: Callable[[], Any]) -> None:
        seen = len(self.events)
        go()
        self.listen(lambda: self.told("Page.loadEventFired", seen), "the page to load")

    def listen(self, happened: Callable[[], Any], what: str) -> Any:
        """Take in what the page tells until something has happened."""
        return self._browser.listen(happened, what)

    def told(self, method: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the parameters of all events of that name."""
        return [event["params"] for event in self.events[since:] if event["method"] == method]

    # What it says

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, of its promise once that is kept."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if failed := done.get("exceptionDetails"):
            raise BrowserError(failed.get("exception", {}).get("description", failed["text"]))
        return done["result"].get("value")

    def wait_for(self, expression: str, seconds: float = SECONDS) -> Any:
        """Return the value of an expression as soon as it is true."""
        return self.evaluate(
            f"""new Promise((resolve, reject) => {{
              const end = performance.now() + {1000 * seconds};
              const look = () => {{
                const value = (() => {{ try {{ return {expression}; }} catch {{ return false; }} }})();
                if (value) resolve(value);
                else if (performance.now() > end) reject(new Error({json.dumps("never: " + expression)} + "\\n" +
                  document.body.innerText));
                else setTimeout(look, 10);
              }};
              look();
            }})"""
        )

    def text(self, selector: str) -> str:
        """Return the text of an element as it is shown."""
        shown: str = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return shown

    # What is done to it

    def press(self, key: str, modifiers: int = 0, commands: tuple[str, ...] = ()) -> None:
        """Press a key: a character or one of Enter, Tab, Space and the like."""
        name, code, text = _KEYS.get(key, (key, ord(key.upper()) if len(key) == 1 and key.isascii() else 0, key))
        event: dict[str, Any] = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        event["code"] = key if key in _KEYS else f"Key{key.upper()}" if key.isascii() and key.isalpha() else ""
        text = "" if modifiers & CONTROL else text
        kind = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=kind, text=text, commands=list(commands), **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        """Type a text key by key."""
        for character in text:
            self.press("Enter" if character == "\n" else character)

    def insert(self, text: str) -> None:
        """Insert a text at once, as a paste or an input method does."""
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click into the middle of an element, once it can be hit there."""
        found = json.dumps(selector)
        x, y = self.wait_for(
            f"""(() => {{
              const element = document.querySelector({found});
              element.scrollIntoView({{ block: "nearest", behavior: "instant" }});
              const box = element.getBoundingClientRect();
              const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
              return !element.disabled && element.contains(document.elementFromPoint(x, y)) && [x, y];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def cut_network(self, *, cut: bool = True) -> None:
        """Take the network away, or give it back."""
        self.call(
            "Network.emulateNetworkConditions", offline=cut, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def download_into(self, folder: Path, start: Callable[[], Any]) -> Path:
        """Do what starts a download and return the file that was saved."""
        self._browser.call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            browserContextId=self._context,
            downloadPath=str(folder),
            eventsEnabled=True,
        )
        seen = len(self._browser.events)
        start()

        def completed() -> bool:
            return any(event["params"].get("state") == "completed" for event in self._browser.events[seen:])

        self.listen(completed, "the download")
        (file,) = folder.iterdir()
        return file


def _write_all(pipe: int, content: bytes) -> None:
    while content:
        content = content[os.write(pipe, content) :]
