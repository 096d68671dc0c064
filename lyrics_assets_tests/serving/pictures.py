"""Takes the pictures of the page that the papers show, from the newest Bento of a home: `make pictures`."""

import tempfile
from pathlib import Path

from lyrics_assets.definitions import build_resources
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests.serving.browser import Browser, Page, find_chromium

SAMBA = """Desci a ladeira com o sol na mão,
deixei a saudade na porta do bar,
o samba chegou, me chamou pro salão
e a dor que eu trazia esqueceu de entrar.

Bate, cavaco, que o morro acordou:
hoje a tristeza não sabe sambar. 🥁
Se o surdo responde, a roda fechou,
ninguém vai embora sem antes cantar."""
FORRO = """Quando a lua clareia o meu sertão,
a sanfona chora e eu choro também,
levanta a poeira no meio do salão,
vem dançar agarradinho, meu bem.

Fogueira acesa, noite de São João:
quem tem um chamego não quer mais ninguém."""


def take(page: Page, address: str, draft: str, genre: str, target: Path) -> None:
    """Write a draft and save what is seen once the page says that it sounds like the genre, and why."""
    page.open(address)
    page.click("#lyrics")
    page.insert(draft)
    page.wait_for(f"document.querySelector('#title').textContent === '{genre}'")
    page.wait_for("[...document.querySelectorAll('#mirror span')].some((word) => word.className)")
    page.wait_for("document.getAnimations().every((animation) => animation.playState !== 'running')")
    page.screenshot(target)


def main() -> None:
    """Take both pictures."""
    program = find_chromium()
    if not program:
        raise SystemExit("no Chromium on this machine (Debian: apt-get install chromium)")
    store = build_resources(Settings.from_environment())["bento_store"]
    with (
        tempfile.TemporaryDirectory() as folder,
        store.serving(store.newest()) as address,
        Browser(program, Path(folder)) as browser,
    ):
        with browser.page(width=1280, height=1000) as page:
            take(page, address, SAMBA, "Samba", ROOT / "docs" / "page.png")
        with browser.page() as page:
            page.resize(390, 844, scale=2, phone=True)
            page.emulate(prefers_color_scheme="dark")
            take(page, address, FORRO, "Forró", ROOT / "docs" / "page_phone.png")


if __name__ == "__main__":
    main()
