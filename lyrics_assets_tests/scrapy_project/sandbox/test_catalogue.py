"""The addresses of a site's songs."""

from scrapy_project.sandbox.catalogue import Catalogue, slugify
from scrapy_project.sandbox.songbook import Song


def song(title: str, artist: str = "Trio") -> Song:
    return Song(title=title, artist=artist, genre="Samba", genres=("Samba",), lyrics="lá")


def test_songs_and_artists_of_one_spelling_without_its_signs_are_numbered() -> None:
    songs = [song("Só"), song("Só!"), song("Só?"), song("Só", artist="Trió")]
    catalogue = Catalogue(((one, one.title, None) for one in songs), lambda _, title: slugify(title))
    addresses = [(track.artist_slug, track.slug) for track in catalogue.by_genre["Samba"]]
    assert addresses == [("trio", "so"), ("trio", "so-2"), ("trio", "so-3"), ("trio-2", "so")]
    for one, address in zip(songs, addresses, strict=True):
        found = catalogue.find(*address)
        assert found is not None
        assert found.song is one
