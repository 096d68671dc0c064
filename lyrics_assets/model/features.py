"""What the model reads in a lyric: word and character n-grams of the normal form. Standard library only.

The pipeline (training) and the scorer (serving) call these same functions, so that they cannot disagree.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class WordNgrams:
    """Runs of `shortest` to `longest` words inside one line; a phrase never crosses the end of a line."""

    shortest: int = 1
    longest: int = 2

    def __call__(self, text: str) -> list[str]:
        """Return the n-grams, with repetitions, of a normalised text."""
        grams: list[str] = []
        for line in text.split("\n"):
            words = line.split()
            for size in range(self.shortest, self.longest + 1):
                if size == 1:
                    grams += words
                else:
                    grams += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
        return grams


@dataclass(frozen=True)
class CharNgrams:
    """Runs of `shortest` to `longest` characters inside one word, which is padded by a space on both sides."""

    shortest: int = 2
    longest: int = 5

    def __call__(self, text: str) -> list[str]:
        """Return the n-grams, with repetitions, of a normalised text."""
        return [gram for word in text.split() for gram in self.of_word(word)]

    def of_word(self, word: str) -> list[str]:
        """Return the n-grams of one word."""
        padded = f" {word} "
        length = len(padded)
        return [
            padded[start : start + size]
            for size in range(self.shortest, min(self.longest, length) + 1)
            for start in range(length - size + 1)
        ]
