"""Which artists and songs of a genre to ask for where the site has no chart: the answers decide, not their timing."""

from collections import deque
from dataclasses import dataclass, field

from scrapy_project.pages.vagalume import Artist, ArtistLink, SongLink


@dataclass(slots=True, eq=False)
class Turn:
    """An artist whose songs are asked for."""

    link: ArtistLink
    most: int
    """How many songs the artist can still turn out to give, with those given already."""
    artist: Artist | None = None
    """What the site says, with no more songs than may be asked for; None until then, or if it is left out."""
    is_listed: bool = False
    """Whether what the site says is known."""
    asked: int = 0
    under_way: int = 0
    given: int = 0


@dataclass(slots=True)
class Sample:
    """The songs of a genre, taken from its artists in order.

    The pages to ask for are those of a crawler that goes artist by artist: it takes an artist's first songs, as many
    as are wanted yet and at most `songs_per_artist`, and asks for the next artist when all of them are settled and
    songs are still wanted. Here a page is handed out as soon as it is sure to be among those, whatever becomes of all
    that is under way. So many pages are under way at once, and still the answers alone decide which: a replay asks
    for the same ones, and no artist is asked for whose songs could turn out not to be needed.
    """

    wanted: int
    songs_per_artist: int
    artists: deque[ArtistLink]
    """Those not asked for yet, in order."""
    given: int = 0
    """Songs that were got."""
    under_way: int = 0
    """Songs handed out and not settled yet."""
    _turns: deque[Turn] = field(default_factory=deque)
    """The artists asked for, in order, without the first ones that are settled."""
    _given_before: int = 0
    """Songs of the artists before the first turn."""
    _most: int = 0
    """How many songs the artists asked for so far can turn out to give."""
    _ready: deque[tuple[Turn, SongLink]] = field(default_factory=deque)

    def next_song(self) -> tuple[Turn, SongLink] | None:
        """Return a song that is sure to be needed and not handed out yet."""
        return self._ready.popleft() if self._ready else None

    def next_artist(self) -> Turn | None:
        """Return the next artist if one is sure to be needed and any is left."""
        if self._most >= self.wanted or not self.artists:
            return None
        turn = Turn(self.artists.popleft(), self.songs_per_artist)
        self._turns.append(turn)
        self._most += turn.most
        return turn

    def listed(self, turn: Turn, artist: Artist | None) -> None:
        """Note what the site says of an artist; None if the artist is to be left out."""
        if artist is not None:
            turn.artist = artist._replace(songs=artist.songs[: self.songs_per_artist])
        turn.is_listed = True
        turn.most = len(turn.artist.songs) if turn.artist else 0
        self._hand_out()

    def settled(self, turn: Turn, *, given: bool) -> None:
        """Note whether a song that was handed out was got."""
        turn.under_way -= 1
        self.under_way -= 1
        turn.given += given
        self.given += given
        turn.most -= not given
        # A song that was counted on decides nothing by coming, unless it is the artist's last.
        if not (given and turn.under_way):
            self._hand_out()

    @property
    def in_sight(self) -> int:
        """How many songs the artists asked for so far can turn out to give."""
        return self._most

    @property
    def to_come(self) -> int:
        """How many songs can still be got, beside those under way."""
        most = self._most + self.songs_per_artist * len(self.artists)
        return max(0, min(self.wanted, most) - self.given - self.under_way)

    def _hand_out(self) -> None:
        """Make ready what is sure by now, artist by artist."""
        before = self._given_before  # the most that the earlier artists can give
        is_settled = True  # as all earlier artists are
        for turn in tuple(self._turns):
            songs = turn.artist.songs if turn.artist else ()
            for song in songs[turn.asked : max(0, self.wanted - before)]:
                self._ready.append((turn, song))
                turn.asked += 1
                turn.under_way += 1
                self.under_way += 1
            if is_settled and turn.is_listed:
                turn.most = turn.given + turn.under_way  # what is not asked for now never will be
            is_settled = is_settled and turn.is_listed and not turn.under_way
            if is_settled:
                self._turns.popleft()
                self._given_before += turn.given
            before += turn.most
        self._most = before
