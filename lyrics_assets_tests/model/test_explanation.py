"""Which words and lines speak for a genre, and where they stand in the text as it was written."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lyrics_assets.lyrics.text import normalise
from lyrics_assets.model.calibration import Calibration
from lyrics_assets.model.classifier import build_pipeline
from lyrics_assets.model.explanation import locate
from lyrics_assets.model.scorer import Scorer, largest_difference
from lyrics_assets_tests.corpus import GENRES, SMALL, TWO_GENRES, pipeline, songs

# Any text, and texts of what folding treats in ways of its own: marks, ligatures, letters that become two or are made
# of two (Hangul, Tamil, Burmese), line ends, what is no word.
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TRICKY = st.text(
    "aéÉ\u0301\u0345\u034fßﬁ½ªİſ㍿ \n\r\u2028\u1100\u1161\u11a8\u0bc6\u0bbe\u1025\u102e\u0338_'-", max_size=12
)
CALIBRATIONS = {
    "none": Calibration(),
    "temperature": Calibration("temperature", (2.5,), fade=0.5, full=300.0),
    "sigmoid": Calibration("sigmoid", (2.0, 1.5, 3.0, 0.5), (-1.0, 0.5, 0.0, -2.0)),
}


def fitted(method, weighting="tfidf_sublinear"):
    learned = songs(*GENRES)
    parameters = SMALL.model_copy(update={"weighting": weighting})
    return build_pipeline(parameters, calibration=CALIBRATIONS[method]).fit(learned["lyrics"], learned["genre"])


@pytest.fixture(scope="module", params=[*CALIBRATIONS, "BM25"])
def model(request):
    """Return a pipeline and its scorer, one of each calibration and one of the other weighting."""
    trained = fitted("temperature", "bm25") if request.param == "BM25" else fitted(request.param)
    return trained, Scorer.compile(trained)


def test_a_scorer_answers_as_its_pipeline_does_whatever_calibrates_it(model):
    trained, scorer = model
    lyrics = list(songs(*GENRES)["lyrics"])[:20]
    assert largest_difference(trained, scorer, lyrics) <= 1e-6


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT | TRICKY)
@example("Cora\u00e7a\u0303o")
@example("\u0301a")
@example("stra\u00dfe e o\ufb01cio")
@example("a\u0338\u0301\u0345 b")
@example("\u1112\u1161\u11ab \u110b\u1175")
def test_the_words_that_are_found_are_the_words_of_the_normal_form(text):
    lines = locate(text)
    assert "\n".join(" ".join(place.word for place in line) for line in lines) == normalise(text)


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT | TRICKY)
def test_each_word_stands_where_it_is_said_to_stand(text):
    places = [place for line in locate(text) for place in line]
    for place in places:
        assert 0 <= place.start < place.end <= len(text)
        # One raw character may be several words ("½" is "1" and "2").
        assert place.word in normalise(text[place.start : place.end]).split()
    starts = [place.start for place in places]
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Coração, é!", ["Coração", "é"]),
        (
            unicodedata.normalize("NFD", "Coração, é!"),
            [unicodedata.normalize("NFD", word) for word in ("Coração", "é")],
        ),
        ("Straße o ﬁm", ["Straße", "o", "ﬁm"]),
        ("a\r\nb", ["a", "b"]),
        ("❤️ amor ❤️", ["amor"]),
        ("d'água", ["d", "água"]),
        ("한국 사랑", ["한국", "사랑"]),
        (unicodedata.normalize("NFD", "한국"), [unicodedata.normalize("NFD", "한국")]),
        ("", []),
    ],
    ids=ascii,
)
def test_a_word_is_found_as_it_was_written(text, found):
    assert [text[place.start : place.end] for line in locate(text) for place in line] == found


@settings(max_examples=60, deadline=None)
@given(
    text=st.lists(st.sampled_from(["samba", "Fé", "ao céu", "e", "\n", "xq", "Deus", "baile!"]) | ANY_TEXT, max_size=15)
)
def test_words_and_bias_add_up_to_the_logit(model, text):
    text = " ".join(text)
    trained, scorer = model
    matrix = trained[:-1].transform([text])
    logits = trained[-1].calibration.logits(trained[-1].decision_function(matrix), matrix.getnnz(axis=1))[0]
    for genre, logit in zip(scorer.classes, logits, strict=True):
        found = scorer.explain(text, genre)
        assert found.genre == genre
        assert found.logit == pytest.approx(logit, abs=1e-6)
        assert found.bias + sum(span.weight for span in found.words) == pytest.approx(found.logit, abs=1e-6)
        assert sum(span.weight for span in found.lines) == pytest.approx(found.logit - found.bias, abs=1e-6)


def test_without_a_genre_the_most_probable_one_is_explained(model):
    _, scorer = model
    for text in songs(*GENRES)["lyrics"][::9]:
        assert scorer.explain(text).genre == next(iter(scorer.probabilities(text)))


def test_logits_are_relative_to_the_mean_of_all_genres():
    scorer = Scorer.compile(fitted("temperature"))
    text = songs("Samba")["lyrics"][0]
    assert sum(scorer.explain(text, genre).logit for genre in GENRES) == pytest.approx(0, abs=1e-6)


def test_with_two_genres_what_speaks_for_one_speaks_against_the_other():
    scorer = Scorer.compile(pipeline(*TWO_GENRES))
    one, other = (scorer.explain("Senhor do samba", genre).words for genre in TWO_GENRES)
    assert [span.weight for span in one] == pytest.approx([-span.weight for span in other])


def test_every_line_with_a_word_is_told_from_its_first_word_to_its_last():
    text = "  Senhor, meu Deus!\n\n...\nSamba no pé.  "
    found = Scorer.compile(pipeline(*TWO_GENRES)).explain(text)
    assert [text[span.start : span.end] for span in found.lines] == ["Senhor, meu Deus", "Samba no pé"]
    assert [text[span.start : span.end] for span in found.words] == ["Senhor", "meu", "Deus", "Samba", "no", "pé"]
    assert found.lines[0].weight == pytest.approx(sum(span.weight for span in found.words[:3]))


def test_the_same_word_in_the_same_company_weighs_the_same():
    found = Scorer.compile(pipeline(*TWO_GENRES)).explain("samba no pé\nsamba no pé")
    assert [span.weight for span in found.words[:3]] == pytest.approx([span.weight for span in found.words[3:]])


def test_an_unknown_word_weighs_nothing():
    found = Scorer.compile(pipeline(*TWO_GENRES)).explain("samba 漢字")
    assert found.words[1].weight == 0


def test_a_phrase_weighs_on_its_own_words_wherever_it_stands_in_a_line():
    scorer = Scorer.compile(pipeline(*TWO_GENRES))
    phrase = " ".join(normalise(songs("Samba")["lyrics"][0]).split("\n")[0].split()[:2])
    assert phrase in scorer._blocks[0].index
    alone, behind = scorer.explain(phrase, "Samba"), scorer.explain(f"漢字 {phrase}", "Samba")
    assert [span.weight for span in behind.words] == pytest.approx([0, *(span.weight for span in alone.words)])


def test_a_text_without_a_word_has_its_bias_alone():
    found = Scorer.compile(pipeline(*TWO_GENRES)).explain("...")
    assert (found.words, found.lines, found.logit) == ((), (), found.bias)


def test_a_genre_that_the_model_does_not_know_is_named():
    with pytest.raises(ValueError, match="no genre Polka; known: Gospel, Samba"):
        Scorer.compile(pipeline(*TWO_GENRES)).explain("samba", "Polka")
