"""The compiled model gives the pipeline's own probabilities, from safe files."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics_assets.model import scorer as scorer_module
from lyrics_assets.model.classifier import Hyperparameters, build_pipeline
from lyrics_assets.model.scorer import FORMAT, Scorer, ScorerError, largest_difference
from lyrics_assets_tests.corpus import GENRES, SMALL, TWO_GENRES, pipeline, scorer, songbook, songs

BOTH = pytest.mark.parametrize("genres", [TWO_GENRES, GENRES], ids=["two genres", "many genres"])
KNOWN_WORDS = sorted({word for song in songbook() if song.genre in TWO_GENRES for word in song.lyrics.split()})[::40]
# A word of the songbook or any text; surrogates are no text.
TEXTS = st.lists(
    st.sampled_from(KNOWN_WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=12
).flatmap(lambda words: st.sampled_from([" ", "\n", ", ", "\r\n"]).map(lambda glue: glue.join(words)))


@pytest.fixture
def saved(tmp_path):
    scorer(*TWO_GENRES).save(tmp_path / "model")
    return tmp_path / "model"


@BOTH
def test_the_scorer_agrees_with_the_pipeline_on_every_song(genres):
    lyrics = list(songs(*genres)["lyrics"])
    assert largest_difference(pipeline(*genres), scorer(*genres), lyrics) <= 1e-6


@pytest.mark.parametrize("genres", [TWO_GENRES, GENRES[:3]], ids=["two genres", "many genres"])
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_the_scorer_agrees_with_the_pipeline_on_any_text(genres, text):
    assert largest_difference(pipeline(*genres), scorer(*genres), [text]) <= 1e-6


@pytest.mark.parametrize(
    "parameters",
    [
        Hyperparameters(word_ngram_max=1, char_ngram_max=2, balanced=False),
        Hyperparameters(word_ngram_max=3, char_ngram_max=6, word_min_df=1, char_min_df=1, C=64.0),
        Hyperparameters(weighting="bm25", word_ngram_max=1, char_ngram_max=2),
        Hyperparameters(weighting="bm25", word_min_df=1, char_min_df=1, C=64.0),
        Hyperparameters(word_features=50, char_features=100),
    ],
    ids=["smallest", "largest", "smallest, BM25", "largest, BM25", "least features"],
)
def test_the_scorer_agrees_with_the_pipeline_at_the_ends_of_the_search(parameters):
    learned = songs(*TWO_GENRES)
    fitted = build_pipeline(parameters).fit(learned["lyrics"], learned["genre"])
    assert largest_difference(fitted, Scorer.compile(fitted), list(songs("Funk")["lyrics"])) <= 1e-6


def test_a_difference_between_two_models_is_seen():
    learned = songs(*TWO_GENRES)
    other = build_pipeline(SMALL.model_copy(update={"C": 0.5})).fit(learned["lyrics"], learned["genre"])
    assert largest_difference(other, scorer(*TWO_GENRES), list(learned["lyrics"])[:3]) > 0.01


def test_the_difference_is_that_of_the_worst_text_wherever_it_stands():
    learned = songs(*TWO_GENRES)
    other = build_pipeline(SMALL.model_copy(update={"C": 0.5})).fit(learned["lyrics"], learned["genre"])
    texts = list(learned["lyrics"])[:3]
    apart = [largest_difference(other, scorer(*TWO_GENRES), [text]) for text in texts]
    assert len(set(apart)) == 3
    for turn in range(3):
        turned = texts[turn:] + texts[:turn]
        assert largest_difference(other, scorer(*TWO_GENRES), turned) == pytest.approx(max(apart), abs=1e-12)


@BOTH
def test_probabilities_sum_to_one_and_the_most_probable_comes_first(genres):
    for lyrics in [*songs(*genres)["lyrics"][::5], "", "zzz qqq"]:
        shares = scorer(*genres).probabilities(lyrics)
        assert sorted(shares) == sorted(genres)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)
        assert all(type(share) is float and 0 <= share <= 1 for share in shares.values())


def test_the_model_knows_the_songs_that_it_learned():
    learned = songs(*GENRES)
    guesses = [next(iter(scorer(*GENRES).probabilities(text))) for text in learned["lyrics"]]
    assert (np.array(guesses) == learned["genre"].to_numpy()).mean() > 0.95


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace("\n", "\n\n \n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "!...\n"),
        lambda text: text.replace("ã", "a").replace("é", "e").replace("ç", "c"),
        lambda text: f"\n\n  {text} \t❤️",
    ],
    ids=["case", "blank lines", "line ends", "punctuation", "accents", "edges"],
)
def test_what_is_no_word_does_not_change_the_answer(change):
    text = songs("Samba")["lyrics"][3]
    assert change(text) != text
    assert scorer(*GENRES).probabilities(change(text)) == scorer(*GENRES).probabilities(text)


def test_the_order_of_the_lines_does_not_change_the_answer():
    text = songs("Samba")["lyrics"][3]
    turned = "\n".join(reversed(text.split("\n")))
    assert scorer(*GENRES).probabilities(turned) == pytest.approx(scorer(*GENRES).probabilities(text), abs=1e-9)


def test_a_repeated_word_weighs_less_than_twice():
    word = "samba"
    plain, repeated = (
        scorer(*TWO_GENRES).probabilities(text)["Samba"] for text in (f"{word} fé", f"{word}\n{word} fé")
    )
    assert plain < repeated < 1


def test_unknown_words_are_a_share_of_the_distinct_words():
    model = scorer(*TWO_GENRES)
    assert model.unknown_share("Samba samba xyzzyx") == 0.5
    assert model.unknown_share("Samba") == 0
    assert model.unknown_share("xyzzyx plugh") == 1
    assert model.unknown_share("...") == 1


def test_n_features_are_the_columns_of_the_pipeline():
    assert scorer(*TWO_GENRES).n_features == pipeline(*TWO_GENRES).named_steps["classifier"].coef_.shape[1]


def test_a_saved_model_gives_the_same_answers(saved):
    loaded = Scorer.load(saved)
    assert loaded.classes == scorer(*TWO_GENRES).classes
    for text in songs(*TWO_GENRES)["lyrics"][::7]:
        assert loaded.probabilities(text) == scorer(*TWO_GENRES).probabilities(text)


@pytest.mark.parametrize("weighting", ["tfidf_sublinear", "bm25"])
def test_a_model_of_longer_n_grams_gives_the_same_answers_when_it_was_saved(weighting, tmp_path):
    learned = songs(*TWO_GENRES)
    parameters = Hyperparameters(weighting=weighting, word_ngram_max=3, char_ngram_max=5, word_min_df=1, char_min_df=1)
    model = Scorer.compile(build_pipeline(parameters).fit(learned["lyrics"], learned["genre"]))
    model.save(tmp_path)
    for text in learned["lyrics"][::9]:
        assert Scorer.load(tmp_path).probabilities(text) == model.probabilities(text)


def test_a_loaded_model_can_be_saved_again(saved, tmp_path):
    Scorer.load(saved).save(tmp_path / "again" / "deeper")
    again = Scorer.load(tmp_path / "again" / "deeper")
    assert again.probabilities("samba e fé") == scorer(*TWO_GENRES).probabilities("samba e fé")


def test_a_model_is_two_files_without_a_pickle(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["scorer.json", "scorer.npz"]
    with np.load(saved / "scorer.npz", allow_pickle=False) as arrays:
        assert all(array.dtype != object for array in arrays.values())
        # The others are few; these are nearly the whole file.
        assert arrays["coefficients"].dtype == np.float32


@pytest.mark.parametrize("where", [0, 100, -1])
def test_damaged_weights_are_refused(saved, where):
    content = bytearray((saved / "scorer.npz").read_bytes())
    content[where] ^= 1
    (saved / "scorer.npz").write_bytes(content)
    with pytest.raises(ScorerError, match="damaged"):
        Scorer.load(saved)


def test_weights_of_another_model_are_refused(saved, tmp_path):
    scorer(*GENRES).save(tmp_path / "other")
    shutil.copyfile(tmp_path / "other" / "scorer.npz", saved / "scorer.npz")
    with pytest.raises(ScorerError, match="checksum"):
        Scorer.load(saved)


@pytest.mark.parametrize("number", [1, FORMAT + 1])
def test_another_format_is_refused_by_its_number(saved, number):
    header = json.loads((saved / "scorer.json").read_text())
    (saved / "scorer.json").write_text(json.dumps(header | {"format": number}))
    with pytest.raises(ScorerError, match=f"model format {number}, this version reads {FORMAT}"):
        Scorer.load(saved)


@pytest.mark.parametrize("name", ["scorer.json", "scorer.npz"])
def test_a_missing_file_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(ScorerError, match=str(saved)):
        Scorer.load(saved)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"format": 2}'], ids=["empty", "cut", "bare", "without sum"])
def test_a_header_that_says_too_little_is_refused(saved, content):
    (saved / "scorer.json").write_bytes(content)
    with pytest.raises(ScorerError, match="no readable model"):
        Scorer.load(saved)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"null"], ids=["bytes", "list", "null"])
def test_a_header_that_is_no_object_is_refused(saved, content):
    (saved / "scorer.json").write_bytes(content)
    with pytest.raises(ScorerError):
        Scorer.load(saved)


def test_all_of_scoring_needs_neither_scikit_learn_nor_pandas(tmp_path):
    Scorer.compile(pipeline(*TWO_GENRES), songs=songs(*TWO_GENRES)).save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from lyrics_assets.model.scorer import Scorer\n"
        "model, text = Scorer.load(Path(sys.argv[1])), 'samba e fé'\n"
        "shares = model.probabilities(text)\n"
        "model.judge(text, 0.9), model.explain(text), model.similar_artists(text)\n"
        "print(sum(shares.values()) > 0.999, {'sklearn', 'pandas', 'scipy', 'dagster', 'lingua'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "True set()", done.stderr


def test_a_very_long_text_is_scored_as_the_pipeline_scores_it():
    text = "\n".join(songs(*TWO_GENRES)["lyrics"])
    text = (text * (200_000 // len(text) + 1))[:200_000]
    assert largest_difference(pipeline(*TWO_GENRES), scorer(*TWO_GENRES), [text]) <= 1e-6
    found = scorer(*TWO_GENRES).explain(text)
    assert found.bias + sum(span.weight for span in found.words) == pytest.approx(found.logit, abs=1e-6)


def test_a_very_long_word_is_scored_as_the_pipeline_scores_it():
    assert largest_difference(pipeline(*TWO_GENRES), scorer(*TWO_GENRES), ["samba" * 40_000]) <= 1e-6


def test_the_words_that_are_kept_for_the_next_lyric_stay_few(monkeypatch):
    monkeypatch.setattr(scorer_module, "_WORDS_KEPT", 10)
    model = Scorer.compile(pipeline(*TWO_GENRES))
    text = songs("Samba")["lyrics"][3]
    before = model.probabilities(text)
    assert model.probabilities(text) == before
    words, chars = model._blocks
    assert not words._words, "lines are somebody's draft"
    assert 0 < len(chars._words) <= 10


def test_an_answer_without_chosen_bounds_takes_all_genres_for_equally_likely():
    assert scorer(*TWO_GENRES).bounds.prior == {"Gospel": 0.5, "Samba": 0.5}
    found = scorer(*TWO_GENRES).judge("")
    assert (found.genre, found.warnings) == (None, ("too_short",))
    assert found.probabilities == {"Gospel": 0.5, "Samba": 0.5}


def test_a_long_and_known_text_is_judged_by_its_probabilities():
    text = songs("Samba")["lyrics"][3]
    found = scorer(*TWO_GENRES).judge(text, portuguese_share=1.0)
    assert (found.genre, found.warnings) == ("Samba", ())
    assert found.probabilities == scorer(*TWO_GENRES).probabilities(text)
    assert scorer(*TWO_GENRES).judge(text, portuguese_share=0.3).warnings == ("not_portuguese",)


def test_a_loaded_model_judges_and_explains_alike(saved):
    loaded, text = Scorer.load(saved), songs("Samba")["lyrics"][3]
    assert loaded.bounds == scorer(*TWO_GENRES).bounds
    assert loaded.judge(text) == scorer(*TWO_GENRES).judge(text)
    assert loaded.explain(text) == scorer(*TWO_GENRES).explain(text)


def test_a_header_of_other_genres_than_the_weights_is_refused(saved):
    header = json.loads((saved / "scorer.json").read_text())
    (saved / "scorer.json").write_text(json.dumps(header | {"classes": ["Gospel", "Polca", "Samba"]}))
    with pytest.raises(ScorerError, match="header and weights disagree"):
        Scorer.load(saved)


@pytest.mark.parametrize("name", ["coefficients", "bias"])
def test_weights_of_too_few_n_grams_or_genres_are_refused_even_with_their_checksum(saved, name):
    with np.load(saved / "scorer.npz", allow_pickle=False) as arrays:
        changed = dict(arrays) | {name: arrays[name][:-1]}
    np.savez_compressed(saved / "scorer.npz", **changed)
    header = json.loads((saved / "scorer.json").read_text())
    digest = hashlib.sha256((saved / "scorer.npz").read_bytes()).hexdigest()
    (saved / "scorer.json").write_text(json.dumps(header | {"sha256": digest}))
    with pytest.raises(ScorerError, match="header and weights disagree"):
        Scorer.load(saved)


@pytest.mark.parametrize("part", ["classes", "calibration", "bounds", "blocks", "neighbours_sha256"])
def test_a_header_without_one_of_its_parts_is_refused(saved, part):
    header = json.loads((saved / "scorer.json").read_text())
    del header[part]
    (saved / "scorer.json").write_text(json.dumps(header))
    with pytest.raises(ScorerError, match=part):
        Scorer.load(saved)


def test_weights_that_are_no_archive_are_refused_even_with_their_checksum(saved):
    (saved / "scorer.npz").write_bytes(b"PK nonsense")
    header = json.loads((saved / "scorer.json").read_text())
    digest = hashlib.sha256(b"PK nonsense").hexdigest()
    (saved / "scorer.json").write_text(json.dumps(header | {"sha256": digest}))
    with pytest.raises(ScorerError, match="no readable model"):
        Scorer.load(saved)
