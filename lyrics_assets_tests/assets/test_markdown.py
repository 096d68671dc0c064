"""Rows as Markdown."""

from lyrics_assets.assets.markdown import table


def test_rows_stand_under_a_header_of_their_keys():
    rows = [{"genre": "Samba", "songs": 3, "share": 0.123456}, {"genre": "R&B", "songs": 40, "share": 1.0}]
    assert table(rows).split("\n") == [
        "| genre | songs | share |",
        "|---|---|---|",
        "| Samba | 3 | 0.1235 |",
        "| R&B | 40 | 1 |",
    ]


def test_what_is_no_float_is_shown_as_it_is():
    assert table([{"a": None, "b": True, "c": 1234567}]).endswith("| None | True | 1234567 |")


def test_what_others_have_written_is_text_and_stays_in_its_cell():
    title = "<img src=x> ![p](http://a.example/p.png) `c` | d\ne \\"
    row = table([{"title": title, "n": 1}]).split("\n")[2]
    assert row == r"| \<img src=x\> !\[p\](http://a.example/p.png) \`c\` \| d e \\ | 1 |"
