"""The page in a real Chromium, beside the real scorer: what is typed, seen, clicked, heard and sent."""

import json
from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageFilter

from lyrics_assets.model.scorer import Scorer
from lyrics_assets.serving import errors
from lyrics_assets_tests.corpus import pipeline, songs
from lyrics_assets_tests.serving.browser import CONTROL, SHIFT, Browser, find_chromium
from lyrics_assets_tests.serving.page_server import PageServer, serving

GENRES = ("Country", "Forró", "Funk", "Gospel", "Heavy Metal", "Hip Hop", "Samba", "Sertanejo")
SAMBA = """Desci a ladeira com o sol na mão,
o samba chegou, me chamou pro salão.
Bate, cavaco, que o morro acordou:
hoje a tristeza não sabe sambar."""
GOSPEL = """Senhor, eu venho ao teu altar
com as mãos vazias te louvar,
aleluia, tua graça me alcançou,
no deserto a tua voz me chamou."""
ENGLISH = "all the love that I gave is gone\nand the night is cold without you"
WITH_EMOJI = SAMBA.replace("Desci", "🥁🏽 Desci").replace("samba", "👩‍👩‍👧 samba").replace("Bate", "🇧🇷Bate")
BLANK_TITLE = "Qual é o primeiro verso?"

ANSWERED = "document.querySelector('#genres').checkVisibility() && !document.querySelector('main.stale')"
TINTS = "[...document.querySelectorAll('#mirror span')].map((word) => [word.textContent, word.className])"
MIRROR = "[...document.querySelectorAll('#mirror > div')].map((line) => line.textContent.replace('\\u200b', ''))"
VALUE = "document.querySelector('#lyrics').value"
TROUBLE = "document.querySelector('#trouble').textContent"


BOX = (
    "(({{ left, top, right, bottom }}) => [left, top, right, bottom])"
    "(document.querySelector('{}').getBoundingClientRect())"
)


def title_is(title):
    return f"document.querySelector('#title').textContent === {json.dumps(title)} && !document.querySelector('.stale')"


@pytest.fixture(scope="module")
def scorer():
    return Scorer.compile(pipeline(*GENRES), songs=songs(*GENRES))


@pytest.fixture(scope="module")
def site(scorer):
    server = PageServer(scorer)
    with serving(server) as server.address:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = find_chromium()
    if not program:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def tab(browser, site):
    """An empty page of its own storage, which must end without an error and without having asked anybody else."""
    with browser.page() as page:
        page.run_first(
            """globalThis.violations = [];
            addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));"""
        )
        yield page
        assert page.evaluate("globalThis.violations ?? []") == []
        assert page.told("Runtime.exceptionThrown") == []
        assert [call for call in page.told("Runtime.consoleAPICalled") if call["type"] != "log"] == []
        entries = [event["entry"] for event in page.told("Log.entryAdded")]
        assert [entry for entry in entries if entry["source"] != "network"] == []
        asked = [event["request"]["url"] for event in page.told("Network.requestWillBeSent")]
        assert [url for url in asked if not url.startswith((site.address, "blob:", "about:"))] == []
    site.mend()


@pytest.fixture
def page(tab, site):
    """The page, just opened."""
    tab.open(site.address)
    tab.wait_for("document.querySelector('#model').textContent")
    return tab


def write(page, text):
    """Put a text in place of what stands on the sheet, and wait for its answer."""
    page.evaluate("document.querySelector('#lyrics').focus()")
    page.press("a", CONTROL, ("selectAll",))
    page.insert(text)
    page.wait_for(f"{VALUE} === {json.dumps(text)} && {ANSWERED}")
    page.wait_for("document.querySelectorAll('#mirror > div').length === " + VALUE + ".split('\\n').length")


def wait_for_explanation(page, genre):
    page.wait_for(f"document.querySelector('#spoken').checkVisibility() && {ANSWERED}")
    page.wait_for(f"document.querySelector('#spoken').textContent === {json.dumps(genre)}")


# The label and the bars


def test_the_label_and_the_bars_follow_what_is_typed(page, site):
    page.click("#lyrics")
    page.type("o samba chegou\ne o surdo respondeu na roda de bamba, ")
    page.insert("cavaco, pandeiro e saudade")
    page.wait_for(title_is("Samba"))
    assert page.evaluate("document.title") == "Samba · Soa como?"
    write(page, GOSPEL)
    page.wait_for(title_is("Gospel"))
    expected = site.answer(GOSPEL)["probabilities"]
    shown = page.evaluate("[...document.querySelectorAll('#bars .name')].map((name) => name.textContent)")
    assert shown == list(expected)
    assert page.text("#bars li:first-child .share") == f"{expected['Gospel']:.0%}"
    width = "document.querySelector('#bars li .bar').style.getPropertyValue('--share')"
    assert float(page.evaluate(width)) == pytest.approx(expected["Gospel"])


def test_the_bars_glide_unless_that_is_unwanted(page):
    write(page, SAMBA)
    page.wait_for("!document.getAnimations().length")
    page.evaluate(
        """(() => {
          const { animate } = Element.prototype;
          let times = 0;
          Element.prototype.animate = function (...all) { times += 1; return animate.apply(this, all); };
          globalThis.glides = () => times;
        })()"""
    )
    write(page, GOSPEL)
    page.wait_for("glides() > 0")
    page.emulate(prefers_reduced_motion="reduce")
    seen = page.evaluate("glides()")
    write(page, SAMBA)
    page.wait_for(title_is("Samba"))
    assert page.evaluate("glides()") == seen


def test_only_the_most_probable_genres_are_shown_until_all_are_asked_for(page):
    write(page, SAMBA)
    visible = "[...document.querySelectorAll('#bars li')].filter((item) => item.checkVisibility()).length"
    assert page.evaluate(visible) == 6
    assert page.text("#more") == f"Mostrar todos os {len(GENRES)} gêneros"
    page.click("#more")
    assert page.evaluate(visible) == len(GENRES)
    assert page.evaluate("document.querySelector('#more').ariaExpanded") == "true"


def test_too_little_text_gets_no_genre_and_is_told_so(page):
    write(page, "Desci a ladeira")
    page.wait_for("document.querySelector('main.unsure')")
    assert page.text("#title") == "Cedo para dizer"
    assert "poucas palavras" in page.text("#warnings")
    assert not page.evaluate("document.querySelector('#evidence').checkVisibility()")
    assert page.evaluate(TINTS) == []


def test_another_language_is_told_and_nothing_else(page, site):
    write(page, ENGLISH)
    page.wait_for("document.querySelector('main.unsure')")
    assert page.text("#title") == "Não parece português"
    assert page.evaluate("[...document.querySelectorAll('#warnings li')].map((item) => item.textContent)") == [
        warning["message"] for warning in site.answer(ENGLISH)["warnings"] if warning["code"] == "not_portuguese"
    ]


def test_a_close_call_names_both_genres(page, site):
    verses = (GOSPEL + "\n" + SAMBA).split("\n")
    texts = ("\n".join(verses[start:end]) for start in range(5) for end in range(start + 2, len(verses) + 1))
    text = next(text for text in texts if _is_close(site.answer(text)))
    write(page, text)
    first, second = list(site.answer(text)["probabilities"])[:2]
    page.wait_for(title_is(f"{first} e {second}"))
    assert page.text("#lead") == "Em dúvida entre"
    assert " contra " in page.text("#detail")
    assert not page.evaluate("document.querySelector('#warnings').checkVisibility()")


def _is_close(answer):
    return [warning["code"] for warning in answer["warnings"]] == ["close_call"]


def test_the_model_and_its_score_are_told_in_words(page):
    said = page.text("#model")
    for part in ("versão 7", "1.273 letras", "de 20 a 24 de novembro de 2026", "nota 0,40 de 1", "entre 0,29 e 0,54"):
        assert part in said
    assert "artistas que nunca tinha lido" in said


def test_artists_are_named_with_titles(page, site):
    write(page, SAMBA)
    expected = site.answer(SAMBA, neighbours=5)["similar_artists"]
    shown = page.evaluate("[...document.querySelectorAll('#artists .artist')].map((name) => name.textContent)")
    assert shown == [artist["artist"] for artist in expected]
    assert page.text("#artists .titles").split("\u00a0· ") == list(expected[0]["titles"])


def test_an_example_is_one_click_away(page):
    page.click("#drafts li:nth-child(4) button")
    page.wait_for(title_is("Gospel"))
    assert page.evaluate(VALUE).startswith("Senhor, no deserto")


# The tints


@pytest.mark.parametrize("lyrics", [SAMBA, WITH_EMOJI], ids=["plain", "with emoji"])
def test_the_words_that_pull_are_tinted(page, site, lyrics):
    write(page, lyrics)
    wait_for_explanation(page, "Samba")
    assert page.evaluate(MIRROR) == lyrics.split("\n")
    words = site.answer(lyrics, explain=True)["explanation"]["words"]
    strongest = max(words, key=lambda word: word["weight"])
    tints = page.evaluate(TINTS)
    assert [lyrics[strongest["start"] : strongest["end"]], "pro4"] in tints
    signs = {lyrics[word["start"] : word["end"]]: word["weight"] > 0 for word in words}
    assert all(signs[word] == kind.startswith("pro") for word, kind in tints)
    assert page.evaluate("document.querySelector('#mirror div:nth-child(2)').dataset.sign").startswith("+")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_mirror_stands_exactly_under_the_text(page, tmp_path, width):
    page.resize(width, 900)
    long = "palavra" * 20
    write(page, f"{WITH_EMOJI}\n\n  {SAMBA}   \n{long} fi ffl AVATAR\t Tá\n{SAMBA.replace(chr(10), ' ')}     x")
    page.wait_for("document.querySelectorAll('#mirror span').length")
    page.evaluate("document.activeElement.blur()")
    page.evaluate(
        """(() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`#mirror span { background: none !important; text-decoration: none !important }
            #mirror div::before { content: none !important } .leaf { background: white !important }`);
          document.adoptedStyleSheets = [sheet];
        })()"""
    )
    pictures = []
    for shown, other in (("lyrics", "mirror"), ("mirror", "lyrics")):
        page.evaluate(f"document.querySelector('#{shown}').style.cssText = 'color: black; opacity: 1'")
        page.evaluate(f"document.querySelector('#{other}').style.cssText = 'color: transparent; opacity: 0'")
        page.screenshot(tmp_path / shown)
        sheet = Image.open(tmp_path / shown).convert("L").crop(page.evaluate(BOX.format(".pane")))
        pictures.append(sheet)
    assert min(pictures[0].getextrema()) == 0
    for one, other in (pictures, pictures[::-1]):
        around = other.filter(ImageFilter.MinFilter(3))  # where words are parted, letters may stand a pixel aside
        assert ImageChops.subtract(around, one).getextrema()[1] < 128


def test_a_changed_word_loses_its_tint_and_the_others_take_theirs_along(page, site):
    write(page, SAMBA)
    wait_for_explanation(page, "Samba")
    before = page.evaluate(TINTS)
    site.hold()
    page.press("Home", CONTROL)
    page.type("Ai, ai\n")
    assert page.evaluate(TINTS) == before
    assert page.evaluate(MIRROR) == f"Ai, ai\n{SAMBA}".split("\n")
    place = page.evaluate(f"{VALUE}.indexOf('samba') + 5")
    page.evaluate(f"document.querySelector('#lyrics').setSelectionRange({place}, {place})")
    page.type("s")
    assert page.evaluate(TINTS) == [tint for tint in before if tint[0] != "samba"]
    site.hold(hold=False)
    for held in list(site.held):
        held.release()
    page.wait_for(f"{TINTS}.length && {ANSWERED}")
    page.wait_for(f"!{TINTS}.some(([word]) => word === 'samba')")


def test_no_edit_puts_a_tint_on_another_word(page):
    failed = page.evaluate(
        """import("/sheet.js").then(({ Sheet }) => {
          let seed = 20261124;
          const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
          const alphabet = ["a", "é", " ", "\\n", "😀", "ção", ", ", "b c", "\\u0301"];
          for (let round = 0; round < 300; round += 1) {
            const area = document.createElement("textarea");
            const sheet = new Sheet(area, document.createElement("div"));
            const mirror = document.createElement("div");
            const other = new Sheet(area, mirror);
            area.value = Array.from({ length: 30 }, () => alphabet[random(alphabet.length)]).join("");
            other.follow();
            const sent = area.value;
            const find = (text) => [...text.matchAll(/[\\p{L}\\p{M}]+/gu)];
            const words = find(sent).map((found, number) => (
              { start: found.index, end: found.index + found[0].length, weight: 1 + number % 3 }));
            other.tint(sent, words, []);
            const known = new Set(find(sent).map(([word]) => word));
            for (let edit = 0; edit < 4; edit += 1) {
              const start = random(area.value.length + 1);
              const end = Math.min(area.value.length, start + random(4));
              area.value = area.value.slice(0, start) + alphabet[random(alphabet.length)].repeat(random(3))
                + area.value.slice(end);
              other.follow();
              if (random(3) === 0) other.tint(sent, words, []);
              const lines = [...mirror.children].map((line) => line.textContent.replace("\\u200b", ""));
              if (lines.join("\\n") !== area.value) return `mirror: ${JSON.stringify([area.value, lines])}`;
              for (const span of mirror.querySelectorAll("span")) {
                const whole = find(span.parentNode.textContent).map(([word]) => word);
                if (!known.has(span.textContent) || !whole.includes(span.textContent)) {
                  return JSON.stringify([sent, area.value, span.textContent]);
                }
              }
            }
          }
          return "";
        })"""
    )
    assert failed == ""


def test_choosing_a_genre_shows_what_speaks_for_it(page, site):
    write(page, SAMBA)
    wait_for_explanation(page, "Samba")
    genre = page.evaluate("document.querySelector('#bars li:nth-child(3) .name').textContent")
    page.click("#bars li:nth-child(3) button")
    wait_for_explanation(page, genre)
    assert page.evaluate("document.querySelector('#bars li:nth-child(3) button').ariaPressed") == "true"
    assert page.text("#title") == "Samba"
    assert site.asked[-1]["genre"] == genre
    words = site.answer(SAMBA, explain=True, genre=genre)["explanation"]["words"]
    best = max(words, key=lambda word: word["weight"])
    assert page.text("#pros li:first-child") == "+" + SAMBA[best["start"] : best["end"]].lower()
    assert f"puxa para {genre}" in page.text("#legend")
    write(page, GOSPEL)  # the choice outlives the text
    wait_for_explanation(page, genre)
    page.click("#follow")
    wait_for_explanation(page, "Gospel")
    assert page.evaluate("document.querySelectorAll('#bars [aria-pressed=true]').length") == 0
    assert site.asked[-1]["genre"] is None


def test_a_verse_of_the_margin_is_found_on_the_sheet(page):
    write(page, WITH_EMOJI)
    wait_for_explanation(page, "Samba")
    verse = page.text("#verses li:first-child").lstrip("+−")
    page.click("#verses li:first-child button")
    area = "document.querySelector('#lyrics')"
    assert page.evaluate(f"{VALUE}.slice({area}.selectionStart, {area}.selectionEnd)") == verse
    assert page.evaluate(f"document.activeElement === {area}")


# Writing


def test_the_caret_stays_where_it_is_while_answers_come(page):
    write(page, SAMBA)
    page.press("Home", CONTROL)
    page.type("Um dia ")
    page.wait_for(f"{ANSWERED} && {VALUE}.startsWith('Um dia Desci')")
    page.type("eu ")
    assert page.evaluate(VALUE) == f"Um dia eu {SAMBA}"
    assert page.evaluate("document.querySelector('#lyrics').selectionStart") == len("Um dia eu ")
    page.press("z", CONTROL, ("undo",))
    page.wait_for(f"!{VALUE}.startsWith('Um dia eu ')")
    assert SAMBA in page.evaluate(VALUE)


def test_an_input_method_is_not_disturbed(page, site):
    write(page, SAMBA)
    site.hold()
    page.press("End", CONTROL)
    asked = len(site.asked)
    page.call("Input.imeSetComposition", text="cora", selectionStart=4, selectionEnd=4)
    site.wait_for_questions(asked + 1)
    site.held[0].release()
    page.wait_for(ANSWERED)
    page.call("Input.imeSetComposition", text="coraçã", selectionStart=6, selectionEnd=6)
    page.insert("coração")
    assert page.evaluate(VALUE) == f"{SAMBA}coração"


def test_the_end_of_a_long_text_stays_in_sight(page):
    write(page, "\n".join([SAMBA] * 30))
    page.type("\nfim")
    inside = """(() => {
      const [pane, line] = [document.querySelector("#pane"), document.querySelector("#mirror > div:last-child")];
      const [outer, inner] = [pane.getBoundingClientRect(), line.getBoundingClientRect()];
      return line.textContent === "fim" && inner.bottom <= outer.bottom && inner.top >= outer.top;
    })()"""
    page.wait_for(inside)
    assert page.evaluate("document.querySelector('#lyrics').scrollTop") == 0
    page.press("Home", CONTROL)
    page.wait_for("document.querySelector('#pane').scrollTop < 100")


def test_line_ends_of_other_systems_are_one(page, site):
    page.click("#lyrics")
    page.evaluate(f"document.execCommand('insertText', false, {json.dumps(WITH_EMOJI)}.replaceAll('\\n', '\\r\\n'))")
    wait_for_explanation(page, "Samba")
    assert site.asked[-1]["lyrics"] == WITH_EMOJI
    assert all(word in WITH_EMOJI for word, _ in page.evaluate(TINTS))


def test_a_text_over_the_limit_is_kept_and_told_and_not_sent(page, site):
    write(page, SAMBA)
    asked = len(site.asked)
    page.press("End", CONTROL)
    page.insert("\n" + "lá 😀 " * 5_000)
    page.wait_for("document.querySelector('.over')")
    assert "passou do limite" in page.text("#trouble")
    assert "além do limite" in page.text("#room")
    page.press("z", CONTROL, ("undo",))
    page.wait_for(f"{ANSWERED} && {VALUE} === {json.dumps(SAMBA)}")
    assert all(question["lyrics"] == SAMBA for question in site.asked[asked:])


def test_a_text_of_just_the_limit_is_sent(page, site):
    text = ("😀 lá " * 4_000)[:19_995] + " fim."
    page.click("#lyrics")
    page.insert(text)
    page.wait_for(ANSWERED)
    assert len(site.asked[-1]["lyrics"]) == 20_000
    assert page.text("#room") == "Ainda cabem 0 caracteres"


def test_undo_and_redo_have_buttons_that_reach_over_new_sheets(page):
    page.click("#lyrics")
    page.type("primeiro verso")
    page.click("#fresh")
    assert page.evaluate(VALUE) == ""
    assert "Desfazer" in page.text("#notice")
    page.click("#drafts li:first-child button")
    page.wait_for(f"{VALUE}.startsWith('Desci')")
    page.click("#undo")
    page.click("#undo")
    assert page.evaluate(VALUE) == "primeiro verso"
    page.click("#redo")
    page.click("#redo")
    assert page.evaluate(VALUE).startswith("Desci")
    assert page.evaluate("document.querySelector('#redo').disabled")
    page.click("#lyrics")
    page.press("z", CONTROL, ("undo",))  # the browser's own knows of the steps too
    assert page.evaluate(VALUE) == ""


def test_a_text_that_was_typed_over_comes_back_by_one_undo(page):
    page.click("#lyrics")
    page.type("primeiro verso")
    page.press("a", CONTROL, ("selectAll",))
    page.type("x")
    page.click("#undo")
    assert page.evaluate(VALUE) == "primeiro verso"


def test_the_draft_comes_back_after_a_reload(page):
    write(page, WITH_EMOJI)
    page.reload()
    page.wait_for(title_is("Samba"))
    assert page.evaluate(VALUE) == WITH_EMOJI


def test_a_forgotten_draft_is_gone_for_good(page):
    write(page, SAMBA)
    page.click("#forget")
    assert page.evaluate("document.activeElement.value") == "keep"
    page.click("#forgetting [value=keep]")
    assert page.evaluate(VALUE) == SAMBA
    page.click("#forget")
    page.click("#forgetting [value=forget]")
    page.wait_for(title_is(BLANK_TITLE))
    assert page.evaluate(VALUE) == ""
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("document.querySelector('#undo').disabled && document.querySelector('#redo').disabled")
    page.reload()
    assert page.evaluate(VALUE) == ""


def test_the_page_works_where_storage_is_denied_and_says_so(tab, site):
    tab.run_first(
        """Object.defineProperty(globalThis, "localStorage", {
          get() { throw new DOMException("denied", "SecurityError"); } });"""
    )
    tab.open(site.address)
    write(tab, SAMBA)
    tab.wait_for(title_is("Samba"))
    assert "não deixa guardar" in tab.text("#privacy")
    tab.click("#fresh")  # else the browser would ask whether to leave


def test_what_was_written_before_the_scripts_came_stays(tab, site):
    tab.run_first(
        """document.addEventListener("readystatechange", () => {
          if (document.readyState === "interactive") document.querySelector("#lyrics").value = "antes do script"; });"""
    )
    tab.open(site.address)
    tab.wait_for(ANSWERED)
    assert tab.evaluate(VALUE) == "antes do script"
    assert tab.evaluate(MIRROR) == ["antes do script"]


@pytest.mark.parametrize("by", ["button", "key"])
def test_the_draft_is_saved_as_a_text_file(page, tmp_path, by):
    write(page, WITH_EMOJI)
    save = {"button": lambda: page.click("#save"), "key": lambda: page.press("s", CONTROL)}[by]
    file = page.download_into(tmp_path, save)
    assert file.name == "desci-a-ladeira-com-o-sol.txt"
    assert file.read_bytes().decode() == WITH_EMOJI


# The network


def test_the_newest_answer_wins(page, site):
    site.hold()
    page.click("#lyrics")
    page.insert(SAMBA)
    site.wait_for_questions(1, held=True)
    page.press("a", CONTROL, ("selectAll",))
    page.insert(GOSPEL)
    site.wait_for_questions(2, held=True)
    older, newer = site.held
    newer.release()
    page.wait_for(title_is("Gospel"))
    older.release()
    page.listen(lambda: page.told("Network.loadingFailed"), "the older question to be called off")
    assert page.evaluate(title_is("Gospel"))
    assert page.evaluate(TINTS)


def test_a_slow_network_answers_while_one_types_with_two_questions_at_most(page, site):
    site.hold()
    page.click("#lyrics")
    page.insert(SAMBA)
    site.wait_for_questions(1, held=True)
    page.type("\nsamba")
    site.wait_for_questions(2, held=True)
    page.type("\nde roda")
    page.wait_for(f"{TROUBLE}.includes('demorando')")
    assert len(site.held) == 2
    site.held[0].release()
    page.wait_for(title_is("Samba"))
    site.wait_for_questions(3, held=True)
    assert site.held[2].question["lyrics"] == f"{SAMBA}\nsamba\nde roda"
    site.held[2].release()
    page.wait_for(f"{ANSWERED} && !{TROUBLE}")


def test_without_a_network_the_text_is_kept_and_the_answer_comes_back_by_itself(page):
    write(page, SAMBA)
    page.cut_network()
    page.press("a", CONTROL, ("selectAll",))
    page.insert(GOSPEL)
    page.wait_for(f"{TROUBLE}.includes('sem conexão')")
    assert page.evaluate(VALUE) == GOSPEL
    assert page.text("#title") == "Samba"
    assert page.evaluate("document.querySelector('main').matches('.stale')")
    assert page.evaluate(TINTS) == []
    page.type("\nAleluia")
    page.cut_network(cut=False)
    page.wait_for(title_is("Gospel"))
    assert page.text("#trouble") == ""
    assert page.evaluate(VALUE) == f"{GOSPEL}\nAleluia"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (errors.too_many_requests(60), "muita gente"),
        (errors.internal_error(), "não respondeu"),
        (errors.overloaded(), "ocupado"),
        (errors.timed_out(5), "demorou demais"),
    ],
    ids=lambda value: value.code if isinstance(value, errors.Problem) else "",
)
def test_a_failure_is_told_and_asked_again(page, site, problem, words):
    write(page, GOSPEL)
    site.break_down(replace(problem, headers={"Retry-After": "60"}))
    page.press("a", CONTROL, ("selectAll",))
    page.insert(SAMBA)
    page.wait_for(f"{TROUBLE}.includes({json.dumps(words)})")
    assert "a salvo" in page.text("#trouble")
    asked = len(site.asked)
    page.type("\nsamba e mais samba")  # does not hurry the service
    assert len(site.asked) == asked
    site.mend()
    page.click("#retry")
    page.wait_for(title_is("Samba"))
    assert page.text("#trouble") == ""
    assert page.evaluate(VALUE) == f"{SAMBA}\nsamba e mais samba"


def test_a_failure_is_asked_again_without_a_hand(page, site):
    site.break_down(errors.overloaded())
    page.click("#lyrics")
    page.insert(SAMBA)
    page.wait_for(f"{TROUBLE}.includes('ocupado')")
    assert page.text("#title") == "Ainda sem resposta"
    site.wait_for_questions(2)
    site.mend()
    page.wait_for(title_is("Samba"))


@pytest.mark.parametrize(
    "problem",
    [errors.body_too_large(), errors.too_long("lyrics"), errors.unsupported_media_type()],
    ids=lambda problem: problem.code,
)
def test_a_refusal_is_told_in_the_words_of_the_service_and_not_asked_again(page, site, problem):
    site.break_down(problem)
    page.click("#lyrics")
    page.insert(SAMBA)
    page.wait_for(f"{TROUBLE} === {json.dumps(problem.message_pt)}")
    assert not page.evaluate("document.querySelector('#retry').checkVisibility()")
    assert page.evaluate(VALUE) == SAMBA
    site.mend()
    page.type(" ")
    page.wait_for(title_is("Samba"))


def test_a_chosen_genre_that_a_new_model_does_not_tell_is_let_go(page, site):
    write(page, SAMBA)
    page.click("#bars li:nth-child(2) button")
    page.wait_for("document.querySelector('#follow').checkVisibility()")
    site.break_down(errors.unknown_genre("Samba"))
    page.click("#lyrics")
    page.type("!")
    page.wait_for("document.querySelectorAll('#bars [aria-pressed=true]').length === 0")
    site.mend()
    page.type("!")
    wait_for_explanation(page, "Samba")


def test_an_answer_that_is_late_for_an_empty_sheet_is_not_shown(page, site):
    site.hold()
    page.click("#lyrics")
    page.insert(SAMBA)
    site.wait_for_questions(1, held=True)
    page.click("#fresh")
    site.held[0].release()
    page.listen(lambda: page.told("Network.loadingFailed"), "the question to be called off")
    assert page.text("#title") == BLANK_TITLE


def test_nothing_but_the_draft_is_sent(page, site):
    write(page, SAMBA)
    write(page, GOSPEL)
    for question in site.asked:
        assert set(question) == {"lyrics", "explain", "neighbours", "genre"}
    urls = {event["request"]["url"].removeprefix(site.address) for event in page.told("Network.requestWillBeSent")}
    files = {"/", "/style.css", "/favicon.svg"}
    files |= {f"/{name}.js" for name in ("app", "draft", "margin", "service", "sheet", "words")}
    assert urls <= files | {"/model", "/classify"}
    cookies = page.call("Network.getCookies")["cookies"]
    assert cookies == []


# For everybody


@pytest.mark.parametrize("width", [320, 390, 600, 820, 1280, 1920])
def test_no_width_scrolls_sideways(page, width):
    page.resize(width, 844, phone=width < 700)
    write(page, f"{SAMBA}\n{'palavra' * 30}")
    wait_for_explanation(page, "Samba")
    page.click("#more")
    wide = """[document.documentElement, ...document.querySelectorAll("body *")].filter((element) => {
      const { overflowX, display } = getComputedStyle(element);
      return element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1 &&
        !["hidden", "clip"].includes(overflowX) && display !== "inline";
    }).map((element) => `${element.tagName}#${element.id} ${element.scrollWidth} > ${element.clientWidth}`)"""
    assert page.evaluate(wide) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_the_verdict_stays_in_sight_and_fingers_hit_the_buttons(page):
    page.resize(390, 844, phone=True)
    write(page, SAMBA)
    wait_for_explanation(page, "Samba")
    page.evaluate("document.querySelector('#company').scrollIntoView()")
    _, top, _, bottom = page.evaluate(BOX.format("#title"))
    assert 0 <= top < bottom <= 120
    small = """[...document.querySelectorAll("button, summary")].filter((button) => button.checkVisibility())
      .map((button) => [button.innerText, button.getBoundingClientRect()])
      .filter(([, box]) => box.height < 24 || box.width < 24).map(([name]) => name)"""
    in_sentences = {"Esquecer rascunho", "Seguir o mais provável"}
    assert set(page.evaluate(small)) <= in_sentences


CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, at) => value * a + under[at] * (1 - a));
  const light = (colour) => {
    const linear = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = rgba(getComputedStyle(document.body).backgroundColor);
  const ground = (element) => element === document.documentElement ? paper.slice(0, 3)
    : over(rgba(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  const ratio = (colour, under) => {
    const [a, b] = [light(over(rgba(colour), under)), light(under)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const ink = getComputedStyle(document.querySelector("#lyrics")).color;
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(":disabled, dialog, noscript, .unseen, .skip")) continue;
    const colour = element.closest("#mirror") ? ink : getComputedStyle(element).color;
    const found = ratio(colour, ground(element));
    if (found < 4.5) poor.push([element.tagName, element.className, element.textContent.slice(0, 20), found]);
  }
  for (const level of ["pro1", "pro2", "pro3", "pro4", "con1", "con2", "con3", "con4"]) {
    const span = document.createElement("span"); span.className = level;
    document.querySelector("#mirror").append(span);
    const found = ratio(ink, ground(span));
    if (found < 4.5) poor.push([level, found]);
    span.remove();
  }
  return poor;
})()"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_contrast_in_both_themes(page, site, theme):
    page.emulate(prefers_color_scheme=theme, prefers_reduced_motion="reduce")
    paper = {"light": "rgb(250, 250, 246)", "dark": "rgb(18, 21, 29)"}
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper[theme]
    assert page.evaluate(CONTRAST) == []
    write(page, SAMBA)
    page.click("#bars li:nth-child(2) button")
    page.wait_for("document.querySelector('#follow').checkVisibility()")
    assert page.evaluate(CONTRAST) == []
    site.break_down(errors.overloaded())
    page.click("#lyrics")
    page.type(" ")
    page.wait_for(TROUBLE)
    assert page.evaluate(CONTRAST) == []


def test_in_forced_colours_the_text_is_seen_once_and_the_pulls_keep_their_lines(page):
    write(page, SAMBA)
    page.wait_for(f"{TINTS}.length")
    page.emulate(forced_colors="active")
    style = "getComputedStyle(document.querySelector('#mirror .{}'))"
    assert page.evaluate("getComputedStyle(document.querySelector('#mirror')).color") == "rgba(0, 0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.querySelector('#lyrics')).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert page.evaluate(style.format("pro4") + ".textDecorationStyle") == "solid"
    assert page.evaluate("getComputedStyle(document.querySelector('#legend .con3')).textDecorationStyle") == "dotted"


def focused(page):
    return page.evaluate("document.activeElement.id || document.activeElement.innerText")


def test_everything_works_by_keyboard_alone(page, site):
    page.press("Tab")
    assert focused(page) == "Ir para a folha".strip()
    page.press("Enter")
    assert focused(page) == "lyrics"
    page.insert(SAMBA)
    wait_for_explanation(page, "Samba")
    page.press("Tab")
    assert focused(page).startswith("Samba")
    page.press("Tab")
    second = page.evaluate("document.activeElement.querySelector('.name').textContent")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Space")
    wait_for_explanation(page, second)
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == second
    assert page.evaluate("document.activeElement.ariaPressed") == "true"
    for _ in range(3):
        page.press("Tab", SHIFT)
    assert focused(page) == "save"
    reached = {focused(page)}
    page.evaluate("document.activeElement.blur()")
    for _ in range(40):
        page.press("Tab")
        reached.add(focused(page))
    assert reached >= {"undo", "fresh", "save", "lyrics", "more", "follow", "forget"}


def test_the_focus_stays_on_a_genre_that_moves(page, site):
    write(page, SAMBA)
    page.evaluate("document.querySelector('#bars button').focus()")
    site.hold()
    page.evaluate(
        f"""(() => {{ const area = document.querySelector('#lyrics'); area.value = {json.dumps(GOSPEL)};
        area.dispatchEvent(new InputEvent("input", {{ inputType: "insertFromPaste", bubbles: true }})); }})()"""
    )
    site.wait_for_questions(1, held=True)
    site.held[0].release()
    page.wait_for(title_is("Gospel"))
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == "Samba"


def test_a_screen_reader_hears_the_label_once_it_has_settled(page):
    page.evaluate(
        """globalThis.heard = [];
        new MutationObserver(() => heard.push(document.querySelector("#announcement").textContent))
          .observe(document.querySelector("#announcement"), { childList: true, characterData: true, subtree: true });"""
    )
    page.click("#lyrics")
    page.insert(GOSPEL)
    page.wait_for(title_is("Gospel"))
    page.press("a", CONTROL, ("selectAll",))
    page.insert(SAMBA)
    page.wait_for("heard.length")
    page.type(" de roda")
    page.wait_for(ANSWERED)
    assert page.evaluate("heard") == ["Soa como Samba."]


def test_landmarks_names_and_states_are_there_for_assistive_technology(page):
    write(page, SAMBA)
    page.click("#bars li:nth-child(2) button")
    page.wait_for("document.querySelector('#follow').checkVisibility()")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    roles = {role for role, _ in found}
    assert roles >= {"banner", "main", "contentinfo", "region", "heading", "status", "list", "listitem"}
    assert {("textbox", "Sua letra"), ("button", "Desfazer"), ("button", "Salvar como .txt")} <= set(found)
    genre = page.text("#spoken")
    assert ("region", f"O que fala por {genre}") in found
    pressed = [node["name"]["value"] for node in nodes if ["pressed", "true"] in _states(node)]
    assert [name.split()[0] for name in pressed] == [genre.split()[0]]
    assert pressed[0].endswith("%")
    assert [role for role, name in found if role in {"button", "textbox", "link"} and not name] == []
    assert ("StaticText", SAMBA.split("\n")[0]) in found  # the draft once, in its box: the mirror is no second one
    assert page.evaluate("document.documentElement.lang") == "pt-BR"
    assert page.evaluate("document.querySelector('#mirror').ariaHidden") == "true"


def _states(node):
    return [[state["name"], state["value"].get("value")] for state in node.get("properties", [])]
