"""What is lyric and what is a user's note, by the rules that `clean_lyrics` states."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapy_project.language import detect_language
from scrapy_project.pages.text import clean_lyrics, notice_reason, parse_number, path_of, same_site_url

PAGE = "https://www.letras.mus.br/a/b/"


@pytest.mark.parametrize(
    "note",
    [
        *("(2x)", "[ 3 x ]", "(x2)", "2x", "bis", "(bis)", "(BIS 2x)", "(4 vezes)"),
        *("Refrão", "[Refrão]", "(REFRÃO)", "Refrão:", "Refrao 2x", "[Refrão 2]", "Pré-refrão", "Repete refrão"),
        *("[Verso 1]", "(Ponte)", "[Solo]", "[Chorus]", "G D", "Am7", "C#m  F#  B/D#", "Em   A7(4)"),
    ],
)
def test_a_note_on_its_own_line_is_removed_without_parting_the_stanza(note):
    assert clean_lyrics(f"um\n{note}\ndois") == "um\ndois"


@pytest.mark.parametrize(
    "line",
    [
        *(
            "A",
            "E",
            "A A A",
            "O refrão da vida",
            "Refrão que não se cansa",
            "Solo sagrado",
            "Final feliz",
            "Meu 4x4 novo",
        ),
        *(
            "(Coro) Segura a saia",
            "Bis de saudade",
            "Dó Ré Mi",
            "Por você",
            "By my side",
            "Ponte",
            "Do meu e-mail antigo",
        ),
    ],
)
def test_a_line_that_only_resembles_a_note_is_kept(line):
    assert clean_lyrics(f"um\n{line}") == f"um\n{line}"


@pytest.mark.parametrize("mark", [" (2x)", " [bis]", " 2x", " (x3)", "(3 X)", " {2x}"])
def test_a_repeat_mark_is_cut_from_its_line(mark):
    assert clean_lyrics(f"canta comigo{mark}\ndois") == "canta comigo\ndois"


@pytest.mark.parametrize(
    "signature",
    [
        *("Enviada por Zeca", "Letra enviada por Zeca da Vila", "- Transcrito por: Zeca", "Tradução: Zeca", "by: Zeca"),
        *("zeca@vila.example", "http://vila.example/zeca", "www.vila.example", "Contato: 5555-0000"),
    ],
)
def test_a_signature_is_removed_from_the_end_only(signature):
    assert clean_lyrics(f"um\n\n{signature}\n") == "um"
    assert clean_lyrics(f"{signature}\num") == f"{signature}\num"


def test_lines_are_collapsed_and_stanzas_parted_by_one_blank_line():
    assert clean_lyrics("\n\n  um\t dois \n\n \n\u200b\n\ntrês\u00a0quatro\n") == "um dois\n\ntrês quatro"


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200))
def test_a_clean_lyric_stays_as_it_is(text):
    lyric = clean_lyrics(text)
    assert unicodedata.is_normalized("NFC", lyric)
    assert "\n\n\n" not in lyric
    assert all(line == " ".join(line.split()) for line in lyric.split("\n"))
    lyric.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Essa música foi removida em razão de solicitação do(s) titular(es) da obra.", "removed"),
        ("Essa música é instrumental e não possui letra.", "instrumental"),
        ("[música não tem letra]", "missing"),
        ("Ela foi removida\n" + "e eu fiquei na janela\n" * 5, None),
        ("Canto sem pressa", None),
    ],
)
def test_only_a_short_text_is_a_notice(text, reason):
    assert notice_reason(text) == reason


@pytest.mark.parametrize(
    ("text", "number"), [("1.234.567 exibições", 1234567), ("987", 987), ("12.5", 12), ("", None), ("muitas", None)]
)
def test_a_number_is_read_with_dots_for_thousands(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("/c/d.html#play", "https://www.letras.mus.br/c/d.html"),
        ("https://www.letras.mus.br/c/?x=1", "https://www.letras.mus.br/c/"),
        ("https://ads.example/c/", None),
        ("http://[", None),
        ("mailto:a@b.example", None),
    ],
)
def test_a_link_is_followed_only_inside_the_site(href, url):
    assert same_site_url(PAGE, href) == url


@pytest.mark.parametrize(
    ("url", "path"), [("https://a.example/c/d.html?x=1#play", "c/d.html"), ("https://a.example", ""), ("http://[", "")]
)
def test_the_path_of_an_address_has_no_outer_slashes_and_a_broken_one_has_none(url, path):
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Quando a chuva cai no telhado\neu lembro da nossa canção", "pt"),
        ("When the rain falls on the roof\nI remember our song", "en"),
        ("Cuando la lluvia cae en el tejado\nme acuerdo de nuestra canción", "es"),
        ("비가 지붕에 내릴 때 우리의 노래를 기억해", "ko"),
        ("... 123 !!!", None),
    ],
)
def test_the_language_of_a_text_is_found(text, language):
    assert detect_language(text) == language
