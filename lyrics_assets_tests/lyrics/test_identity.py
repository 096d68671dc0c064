"""Which recordings are the same song."""

import json
import unicodedata
from operator import itemgetter
from pathlib import Path

import pytest

from lyrics_assets.lyrics.identity import artist_key, lyrics_hash, song_id, title_key

GOLDEN = json.loads(Path(__file__).with_name("golden_song_ids.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "title", ["Evidencias", "EVIDÊNCIAS", "evidências", unicodedata.normalize("NFD", "Evidências")]
)
def test_an_accent_or_a_capital_does_not_change_the_id(title):
    assert song_id("Chitãozinho", title) == song_id("chitaozinho", "Evidências")


@pytest.mark.parametrize(
    "marked",
    [
        "Janela (part. Zeca)",
        "Janela (Part. 3030)",
        "Janela part. Zeca",
        "Janela (Participação Especial de Zeca)",
        "Janela (feat. Zeca)",
        "Janela [feat. Zeca & Bia]",
        "Janela feat Zeca",
        "Janela ft. Zeca",
        "Janela featuring Zeca",
        "Janela ft Zeca",
        "Janela (ft. Zeca)",
        "Janela (Featuring Zeca)",
        "Janela part. 2 Chainz",
        "Janela (with Zeca)",
        "Janela (Ao Vivo)",
        "Janela (ao vivo em Lisboa) [Remix]",
        "Janela - Ao Vivo",
        "Janela – Ao Vivo em Lisboa",
        "Janela — Live at Wembley",
        "Janela - Acústico",
        "Janela - Versão Acústica",
        "Janela - Participação de Zeca",
        "Janela (Acústica)",
        "Janela (Acoustic Version)",
        "Janela (Acoustic)",
        "Janela (Single Version)",
        "Janela (Versão de Estúdio)",
        "Janela (Album Edit)",
        "Janela (Extended)",
        "Janela (Edição Estendida)",
        "Janela (Instrumental)",
        "Janela {Radio Edit}",
        "Janela - Remix",
        "Janela - DJ Bia Remix",
        "Janela (Remastered 2011)",
        "Janela - 2011 Remaster",
        "Janela - Remasterizado",
        "Janela - Remasterizada",
        "Janela Ao Vivo",
        "Janela, ao vivo!",
        "Janela (Ao Vivo) [Clipe Oficial]",
        "Janela (Videoclipe)",
        "Janela (Clipe)",
        "Janela (Vídeo Oficial)",
        "Janela (Áudio Oficial)",
        "Janela (Official Video)",
        "Janela (Official Audio)",
        "Janela (Lyric Video)",
        "Janela (Music Video)",
        "Janela (Playback)",
        "Janela - Karaokê",
        "Janela (Demo)",
        "Janela (Bonus Track)",
        "Janela (Faixa Bônus)",
        "Janela (Sped Up)",
        "Janela (Slowed)",
        "Janela (Versão Estendida)",
        "Janela (MTV Unplugged)",
        "  JANELA!  ",
    ],
)
def test_a_mark_behind_a_title_does_not_make_another_song(marked):
    assert title_key(marked) == "janela"
    assert song_id("Dona Aurora", marked) == song_id("Dona Aurora", "Janela")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Janela", "Janelas"),
        ("Janela", "Janela (Que Dá Pro Mar)"),
        ("Janela", "Janela - O Regresso"),
        ("Janela (Parte 1)", "Janela (Parte 2)"),
        ("Janela", "Janela 2"),
        ("Live", "Remix"),
        ("Ao Vivo", "Ao Vivo e a Cores"),
        ("Partido", "Part"),
        ("Delivery", "De"),
        ("Acústico MTV", "MTV"),
        ("Me Deixa - Não Volta", "Me Deixa"),
        ("Janela Part. 2", "Janela"),
        ("Janela Pt. II", "Janela"),
        ("Janela", "Porta & Janela"),
        ("Vídeo", "Vídeo (Mentira)"),
        ("Amor (Sem Clipes)", "Amor"),
        ("O Sol", "Sol"),
        ("유리 왕관", "유리 구두"),
    ],
)
def test_other_words_make_another_song(one, other):
    assert song_id("Dona Aurora", one) != song_id("Dona Aurora", other)


@pytest.mark.parametrize(
    "spelling", ["Muro (Part 2)", "Muro Pt. 2", "Muro - Parte 2", "Muro part. 2", "Muro (Pt 2)", "Muro Part. 2 "]
)
def test_a_numbered_part_is_itself_however_it_is_spelt(spelling):
    assert title_key(spelling) == "muro parte 2"


@pytest.mark.parametrize("number", ["12", "II", "IX"])
def test_a_part_is_numbered_by_two_digits_or_in_roman_numerals_too(number):
    assert title_key(f"Muro (Part {number})") == title_key(f"Muro part. {number}") == f"muro parte {number.lower()}"


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Janela (Ao Vivo) do Mar [Remix]", "janela do mar"),
        ("Samba-Remix", "samba remix"),
        ("Lift Off", "lift off"),
        ("& Ao Vivo", "e ao vivo"),
        ("Vida (Olive)", "vida olive"),
        ("Ept 2", "ept 2"),
        ("Pt 2 Amores", "pt 2 amores"),
        ("(Ao Vivo)", "ao vivo"),
        ("Porta\nJanela", "porta janela"),
        (" !!! ", "!!!"),
    ],
)
def test_what_only_resembles_a_mark_or_stands_behind_one_is_kept(title, key):
    assert title_key(title) == key


@pytest.mark.parametrize(("one", "other"), [("Pão & Circo", "Pão e Circo"), ("Rock&Roll", "Rock e Roll")])
def test_an_ampersand_in_a_title_is_an_e(one, other):
    assert song_id("Dona Aurora", one) == song_id("Dona Aurora", other)


def test_numbered_parts_are_different_songs():
    assert song_id("Dona Aurora", "Muro (Part 1)") != song_id("Dona Aurora", "Muro (Part 2)")


@pytest.mark.parametrize("mark", ["Ao Vivo", "(Ao Vivo)", "[Remix]", "(feat. Zeca)", "Live", "Acústico", "Part. Zeca"])
def test_a_title_that_is_nothing_but_a_mark_keeps_it(mark):
    assert title_key(mark) != ""
    assert song_id("Dona Aurora", mark) != song_id("Dona Aurora", "")


def test_titles_that_are_nothing_but_different_marks_differ():
    marks = ["(Ao Vivo)", "(Remix)", "(feat. Zeca)", "Live"]
    assert len({song_id("Dona Aurora", mark) for mark in marks}) == len(marks)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Beatles", "Beatles"),
        ("Os Paralamas do Sucesso", "Paralamas do Sucesso"),
        ("O Rappa", "RAPPA"),
        ("A Banda Mais Bonita", "Banda Mais Bonita"),
        ("As Meninas", "meninas"),
        ("Chitãozinho & Xororó", "Chitaozinho e Xororo"),
        ("Simon and Garfunkel", "Simon & Garfunkel"),
        ("Tom&Vinicius", "Tom e Vinicius"),
        ("Anitta (feat. Zeca)", "Anitta"),
        ("Anitta part. Zeca", "Anitta"),
        ("Anitta feat Zeca", "Anitta"),
        ("Anitta Feat. Zeca", "Anitta"),
        ("Anitta [BR]", "Anitta"),
        ("Jota.Quest", "Jota Quest"),
        ("Racionais MC's", "Racionais MCs"),
        ("Os DJ’s da Praça", "DJs da Praça"),
    ],
)
def test_one_artist_has_one_key_however_it_is_spelt(one, other):
    assert artist_key(one) == artist_key(other)
    assert song_id(one, "Janela") == song_id(other, "Janela")


@pytest.mark.parametrize(
    ("one", "other"), [("O", "A"), ("The The", "The Who"), ("Rita", "Rita Lee"), ("A Cor", "A Dor")]
)
def test_different_artists_have_different_keys(one, other):
    assert artist_key(one) != artist_key(other)


def test_an_artist_that_is_nothing_but_an_article_or_a_bracket_keeps_it():
    assert artist_key("The") == "the"
    assert artist_key("(B)") == "b"
    assert artist_key("O (feat. Zeca)") == "o"


def test_an_artist_of_signs_alone_is_these_signs():
    assert artist_key(" !!! ") == "!!!"


def test_equal_titles_of_different_artists_differ():
    assert song_id("Dona Aurora", "Janela") != song_id("Seu Jorge", "Janela")


def test_the_border_between_artist_and_title_counts():
    assert song_id("Ana Bela", "Flor") != song_id("Ana", "Bela Flor")


# Names of ASCII alone: pytest escapes others anew each time that a process collects the tests, as mutmut's do twice.
@pytest.mark.parametrize("song", GOLDEN, ids=itemgetter("song_id"))
def test_ids_never_change(song):
    """Ids stand in feature stores and files that others keep: a changed id is a broken promise.

    If this fails, mend the code, not the file: a song whose id changes is a new song to every date stored before.
    """
    assert song_id(song["artist"], song["title"]) == song["song_id"]


def test_the_golden_ids_are_32_hexadecimal_digits_and_differ():
    ids = [song["song_id"] for song in GOLDEN]
    assert len(set(ids)) == len(ids) >= 30
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in ids)


def test_texts_that_differ_in_layout_alone_have_one_hash_of_32_digits():
    assert len(lyrics_hash("vem ca")) == 32
    assert lyrics_hash("Não, não!\r\n\r\nVem cá") == lyrics_hash("nao nao\nvem ca")


def test_texts_that_differ_in_a_word_or_a_line_end_have_two_hashes():
    assert len({lyrics_hash(text) for text in ("vem ca", "vem la", "vem\nca")}) == 3
