"""Which artists sing in words like these."""

import json

import numpy as np
import pandas as pd
import pytest

from lyrics_assets.model.scorer import Scorer, ScorerError
from lyrics_assets.model.similarity import TITLES_AN_ARTIST, WORDS_A_SONG
from lyrics_assets_tests.corpus import TWO_GENRES, pipeline, scorer, songs


def song(artist, title, lyrics, group=None, genre="Samba"):
    return {"artist": artist, "title": title, "genre": genre, "lyrics": lyrics, "lyrics_group": group or title}


def compiled(rows):
    return Scorer.compile(pipeline(*TWO_GENRES), songs=pd.DataFrame(rows))


@pytest.fixture(scope="module")
def model():
    """Return a scorer that knows the songs that it learned from."""
    return Scorer.compile(pipeline(*TWO_GENRES), songs=songs(*TWO_GENRES))


def test_each_song_is_nearest_to_itself(model):
    for _, row in songs(*TWO_GENRES).iterrows():
        nearest = model.similar_artists(row["lyrics"], 1)[0]
        assert (nearest.artist, nearest.titles[0], nearest.genre) == (row["artist"], row["title"], row["genre"])
        assert nearest.similarity == pytest.approx(1)


def test_similarities_fall_and_stay_between_none_and_all(model):
    found = model.similar_artists(songs("Samba")["lyrics"][2], 10)
    assert len(found) == 10
    similarities = [artist.similarity for artist in found]
    assert similarities == sorted(similarities, reverse=True)
    assert 0 < similarities[-1] <= similarities[0] <= 1


def single_words(*texts):
    """Return what the pipeline weighs the single words of texts, of unit length; one column a known word or phrase."""
    block = pipeline(*TWO_GENRES)[:-1].named_steps["ngrams"].transformer_list[0][1]
    names = block.named_steps["counts"].get_feature_names_out()
    weights = pipeline(*TWO_GENRES)[:-1].transform(texts)[:, : len(names)].toarray()
    weights[:, [" " in name for name in names]] = 0
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def test_the_words_of_a_text_weigh_what_the_pipeline_weighs_them(model):
    text = songs("Samba")["lyrics"][2]
    (expected,) = single_words(text)
    numbers, weights = model._known_words(model.read(text))
    assert sorted(numbers) == np.flatnonzero(expected).tolist()
    assert weights == pytest.approx(expected[numbers], abs=1e-6)


def test_similarity_is_the_cosine_of_the_words_that_the_model_weighs(model):
    """Of the heaviest words, in 255 steps: the plain cosine of all words is near."""
    text, other = songs("Samba")["lyrics"][2], songs("Samba").iloc[9]
    one, two = single_words(text, other["lyrics"])
    found = {title: artist.similarity for artist in model.similar_artists(text, 99) for title in artist.titles[:1]}
    assert found[other["title"]] >= float(one @ two) - 0.1


def test_an_artist_is_told_once_with_a_few_titles():
    rows = [song("Dona Aurora", f"Canção {number}", f"samba terreiro {number}") for number in range(5)]
    found = compiled([*rows, song("Zé", "Outra", "samba")]).similar_artists("samba terreiro")
    assert [artist.artist for artist in found] == ["Dona Aurora", "Zé"]
    assert [len(artist.titles) for artist in found] == [TITLES_AN_ARTIST, 1]


def test_spellings_of_an_artist_are_one_artist():
    rows = [song("Dona Aurora", "Um", "samba terreiro"), song("DONA AURÓRA (Ao Vivo)", "Dois", "samba roda")]
    (found,) = compiled(rows).similar_artists("samba")
    assert (found.artist, set(found.titles)) == ("Dona Aurora", {"Um", "Dois"})


def test_a_text_that_was_told_is_not_told_again():
    rows = [
        song("Dona Aurora", "Janela", "samba terreiro roda", "one"),
        song("Zé", "Janela (cover)", "samba terreiro roda", "one"),
        song("Dona Aurora", "Janela (Ao Vivo)", "samba terreiro roda", "one"),
        song("Rita", "Fé", "samba Deus", "two"),
    ]
    found = compiled(rows).similar_artists("samba terreiro roda")
    assert [(artist.artist, artist.titles) for artist in found] == [("Dona Aurora", ("Janela",)), ("Rita", ("Fé",))]


def test_the_limit_is_kept_to(model):
    text = songs("Samba")["lyrics"][2]
    assert len(model.similar_artists(text)) == 5
    assert model.similar_artists(text, 2) == model.similar_artists(text)[:2]


@pytest.mark.parametrize("text", ["", "...", "xyzzyx plugh"])
def test_a_text_without_a_known_word_is_like_nobody(model, text):
    assert model.similar_artists(text) == []


def test_a_model_without_its_songs_says_so():
    with pytest.raises(ScorerError, match=r"^this model was compiled without its training songs: it knows no artists$"):
        scorer(*TWO_GENRES).similar_artists("samba")


def test_a_saved_model_knows_the_same_artists(model, tmp_path):
    model.save(tmp_path)
    loaded, text = Scorer.load(tmp_path), songs("Samba")["lyrics"][2]
    assert loaded.neighbours.n_songs == len(songs(*TWO_GENRES))
    assert loaded.similar_artists(text) == model.similar_artists(text)
    assert Scorer.load(tmp_path, with_songs=False).neighbours is None


def test_no_lyric_is_in_the_files(model, tmp_path):
    """A few words in a row would be one; words without order are what the model needs."""
    model.save(tmp_path)
    with np.load(tmp_path / "neighbours.npz", allow_pickle=False) as arrays:
        names = json.loads(arrays["names"].tobytes().decode())
        counts = np.bincount(arrays["songs"])
    assert set(names) == {"artists", "titles", "genres"}
    assert counts.max() <= WORDS_A_SONG
    told = {*names["artists"], *names["titles"], *names["genres"]}
    lines = {line for text in songs(*TWO_GENRES)["lyrics"] for line in text.split("\n") if len(line.split()) > 5}
    assert not told & lines


@pytest.mark.parametrize("where", [0, 100, -1])
def test_damaged_songs_are_refused(model, tmp_path, where):
    model.save(tmp_path)
    content = bytearray((tmp_path / "neighbours.npz").read_bytes())
    content[where] ^= 1
    (tmp_path / "neighbours.npz").write_bytes(content)
    with pytest.raises(ScorerError, match=r"neighbours\.npz: damaged"):
        Scorer.load(tmp_path)


def test_missing_songs_are_refused_unless_nobody_asks_for_them(model, tmp_path):
    model.save(tmp_path)
    (tmp_path / "neighbours.npz").unlink()
    with pytest.raises(ScorerError, match="neighbours"):
        Scorer.load(tmp_path)
    assert Scorer.load(tmp_path, with_songs=False).classes == list(TWO_GENRES)
