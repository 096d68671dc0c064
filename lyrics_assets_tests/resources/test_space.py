"""The Space as a folder."""

import pytest

from lyrics_assets.resources.space import SpaceFolder


@pytest.fixture
def space(tmp_path):
    return SpaceFolder(folder=str(tmp_path / "published" / "space"))


def folder_of(path, **files):
    for name, content in files.items():
        (path / "inner").mkdir(parents=True, exist_ok=True)
        (path / "inner" / name).write_text(content)
    return path


def test_a_space_is_the_folder_that_was_given(space, tmp_path):
    given = folder_of(tmp_path / "given", Dockerfile="FROM scratch")
    assert space.publish(given) == space.folder
    assert (tmp_path / "published" / "space" / "inner" / "Dockerfile").read_text() == "FROM scratch"
    assert (given / "inner" / "Dockerfile").exists()


def test_a_new_space_takes_the_place_of_the_last_one_whole(space, tmp_path):
    space.publish(folder_of(tmp_path / "one", old="1", both="1"))
    space.publish(folder_of(tmp_path / "two", new="2", both="2"))
    inner = tmp_path / "published" / "space" / "inner"
    assert {path.name: path.read_text() for path in inner.iterdir()} == {"new": "2", "both": "2"}
    assert [path.name for path in (tmp_path / "published").iterdir()] == ["space"]


def test_a_folder_that_does_not_exist_leaves_the_last_space(space, tmp_path):
    space.publish(folder_of(tmp_path / "one", old="1"))
    with pytest.raises(FileNotFoundError):
        space.publish(tmp_path / "no such folder")
    assert (tmp_path / "published" / "space" / "inner" / "old").read_text() == "1"
