"""Words in the place of people's names, logins and numbers: of the same shape, the same for the same word."""

import random
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

_WORD = re.compile(r"[^\W_]+")
_MAIL = re.compile(r"[^\s@<>,;:()\"]+@[^\s@<>,;:()\"/]+")
_PERSONAL = re.compile(r"(?i)(?<![^\W_])(cn|uid|userid|emailaddress|email|e|mail|sn|gn|givenname)(\s*=\s*)([^,/+]+)")
"""The parts of a DN that name a person, rather than where the person belongs."""
_VOWELS, _CONSONANTS, _DIGITS = "aeiou", "bdfghjklmnprstvw", "123456789"
_ACCENTED = "àâäèéêëíîïòóôöùúûüñ"
_MOST_TRIES = 100
_LETTERS = 26
_PLAIN = re.compile(r"[a-z][a-z0-9]*")
_PART = 4
"""A word of so many letters is also replaced within a longer one."""
_HOST = "example.org"


@dataclass
class Pseudonyms:
    """Replaces words. All that is to be hidden is told first (`learn`), so that no new word is like an old one."""

    keep: str = ""
    """What each login of the site begins with: it stays."""
    _real: set[str] = field(default_factory=set)
    _named: set[str] = field(default_factory=set)
    """The words that are also replaced where they stand in other texts."""
    _new: dict[str, str] = field(default_factory=dict)

    def learn(self, text: str, *, named: bool) -> None:
        """A text that will be hidden. `named`: its words name somebody, and are hidden in all other texts, too."""
        words = {self._stem(word).lower() for word in _WORD.findall(_MAIL.sub(_local_part, text))}
        self._real |= words
        if named:
            self._named |= {word for word in words if len(word) > 1}

    def learn_dn(self, text: str) -> None:
        """A DN that will be hidden: the parts that name a person do so elsewhere, too."""
        for _, _, value in _PERSONAL.findall(text):
            self.learn(value, named=True)

    def keep_order(self, logins: Iterable[str]) -> None:
        """What stands for these words, all of which are told, is in the same order: steps go through accounts so."""
        words = sorted({stem for login in logins if _PLAIN.fullmatch(stem := self._stem(login))} - self._new.keys())
        width = 1
        while len(words) >= _LETTERS**width:
            width += 1
        for number, word in enumerate(words):
            place = (number + 1) * _LETTERS**width // (len(words) + 1)
            first = "".join(chr(ord("a") + place // _LETTERS**digit % _LETTERS) for digit in reversed(range(width)))
            self._replacement(word, first[: len(word)])

    def hide(self, text: str) -> str:
        """The text with each of its words replaced; addresses are at example.org."""
        return self._between_mails(text, self._word)

    def hide_dn(self, text: str) -> str:
        """The DN with what names a person replaced; a text that is none as `hide` has it."""
        if "=" not in text:
            return self.hide(text)
        hidden, at = [], 0
        for part in _PERSONAL.finditer(text):
            hidden += [self.other(text[at : part.start()]), part[1], part[2], self.hide(part[3])]
            at = part.end()
        return "".join([*hidden, self.other(text[at:])])

    def other(self, text: str) -> str:
        """A text about other things, with the words replaced that name somebody, and mail addresses."""
        return self._between_mails(text, self._known)

    def _between_mails(self, text: str, one: Callable[[str], str]) -> str:
        """The text with `one` word after the other made by this, and all mail addresses replaced."""
        hidden, at = [], 0
        for mail in _MAIL.finditer(text):
            hidden += [self._words(text[at : mail.start()], one), self._mail(mail)]
            at = mail.end()
        return "".join([*hidden, self._words(text[at:], one)])

    def _words(self, text: str, one: Callable[[str], str]) -> str:
        return _WORD.sub(lambda word: one(word[0]), text)

    def _mail(self, mail: "re.Match[str]") -> str:
        return f"{self._words(_local_part(mail), self._word)}@{_HOST}"

    def _word(self, word: str) -> str:
        stem = self._stem(word)
        return word.removesuffix(stem) + _in_case(self._replacement(stem.lower()), stem)

    def _known(self, word: str) -> str:
        lower = self._stem(word).lower()
        if lower in self._named:
            return self._word(word)
        parts = [part for part in self._named if len(part) >= _PART and part in word.lower()]
        for part in sorted(parts, key=len, reverse=True):
            found = re.compile(re.escape(part), re.IGNORECASE)
            word = found.sub(lambda match: _in_case(self._replacement(match[0].lower()), match[0]), word)
        return word

    def _stem(self, word: str) -> str:
        return word.removeprefix(self.keep) or word if self.keep else word

    def _replacement(self, word: str, begin: str = "") -> str:
        """Never like a word that is hidden; as far as its length allows, like no other one either."""
        if word not in self._new:
            # By its number, not by itself: a guess at the word must not be confirmed by what stands for it.
            chance = random.Random(len(self._new))  # noqa: S311 - not for secrecy
            used = {*self._real, *self._new.values()}
            real = [one for one in self._real if len(one) >= min(_PART, len(word))]
            rest = word[len(begin) :]
            tries = [begin + "".join(_other(letter, chance) for letter in rest) for _ in range(_MOST_TRIES)]
            fresh = (one for one in tries if one not in used and not any(other in one for other in real))
            short = (one for one in tries if one not in self._real)
            self._new[word] = next(fresh, None) or next(short, None) or "x" * len(word)
        return self._new[word]


def _local_part(mail: "re.Match[str]") -> str:
    return mail[0].partition("@")[0]


def _in_case(new: str, like: str) -> str:
    pairs = zip_longest(new, like[: len(new)], fillvalue="")
    return "".join(letter.upper() if old.isupper() and len(letter.upper()) == 1 else letter for letter, old in pairs)


def _other(letter: str, chance: random.Random) -> str:
    """Another letter or digit of the same sort."""
    if letter.isascii():
        among = _DIGITS if letter.isdigit() else _VOWELS if letter in _VOWELS else _CONSONANTS
        return chance.choice([one for one in among if one != letter])
    if letter in _ACCENTED or ord(letter) < 0x250:
        return chance.choice([one for one in _ACCENTED if one != letter])
    category = unicodedata.category(letter)
    near = (chr(ord(letter) + step) for step in (*range(1, 25), *range(-24, 0)))
    same = [one for one in near if unicodedata.category(one) == category and one.lower() == one]
    return chance.choice(same or ["ö"])
