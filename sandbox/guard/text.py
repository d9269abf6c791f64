"""What is looked at before parsing: length, characters, tokens, nesting. Places in the text come from here.

Comments are ignored: they end with the tokens, and nothing built later holds them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from audit.wording import say
from sandbox.guard.problems import Place, refuse

DIALECT = "duckdb"
MAX_BYTES = 8192
MAX_TOKENS = 3000
MAX_DEPTH = 16  # brackets within brackets
MAX_RUN = 24  # words and signs in a row without a name, a literal or a comma between them

_CLOSED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_OPENER = re.compile(r"'|\"|/\*|\$\w*\$")
_OPEN = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_QUOTED = {TokenType.STRING, TokenType.IDENTIFIER}
_OPERANDS = {*_QUOTED, TokenType.VAR, TokenType.NUMBER, TokenType.COMMA, TokenType.STAR}
# Signs whose syntax tree would hide how they were written, or that never stand in this language.
_FORBIDDEN = {
    TokenType.DCOLON: "::",
    TokenType.L_BRACKET: "[",
    TokenType.L_BRACE: "{",
}


@dataclass(frozen=True, slots=True)
class SourceText:
    """The text and its tokens. Offsets count characters from 0, places count from 1."""

    text: str
    tokens: tuple[Token, ...]

    def place(self, start: int, term: str) -> Place:
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        return Place(line, column, term[:80])

    def token(self, token: Token) -> Place:
        return self.place(token.start, self.text[token.start : token.end + 1])

    def node(self, node: exp.Expr, word: str = "") -> Place:
        """Where `node` stands: at the nearest token that reads `word`, or where the node begins."""
        start = _start(node)
        if word:
            spelled = [t for t in self.tokens if t.text.upper() == word]
            if spelled:
                return self.token(min(spelled, key=lambda t: abs(t.start - start)))
        own = next((t for t in self.tokens if t.start == start), None)
        if own is None:
            return self.place(start, word)
        return Place(*self._line_column(start), (word or self.text[own.start : own.end + 1])[:80])

    def before(self, node: exp.Expr) -> Token | None:
        """The token before the first token of `node`; None where there is none."""
        earlier = [t for t in self.tokens if "start" in node.meta and t.start < node.meta["start"]]
        return earlier[-1] if earlier else None

    def _line_column(self, start: int) -> tuple[int, int]:
        place = self.place(start, "")
        return place.line, place.column


def _start(node: exp.Expr) -> int:
    found = [n.meta["start"] for n in node.walk() if "start" in n.meta]
    if found:
        return int(min(found))
    return _start(node.parent) if node.parent is not None else 0


def read(text: str) -> SourceText:
    """Cut the text into tokens. Raise Refused where it is too long, too deep, or holds foreign characters."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        reason = say("The query is longer than %(most)d bytes; ask for less in one query.", most=MAX_BYTES)
        raise refuse("guard.too_long", reason)
    tokens = _tokens(text)
    source = SourceText(text, tokens)
    _check_characters(source)
    _check_nesting(source)
    _check_statement(source)
    return source


def _tokens(text: str) -> tuple[Token, ...]:
    try:
        return tuple(sqlglot.tokenize(text, read=DIALECT))
    except TokenError as error:
        blanked = _CLOSED.sub(lambda m: " " * len(m.group()), text)
        opener = _OPENER.search(blanked)
        start, term = (opener.start(), opener.group()) if opener else (0, "")
        place = SourceText(text, ()).place(start, term)
        reason = say("A quoted text, a quoted name or a comment begins here and never ends.")
        raise refuse("guard.syntax", reason, place) from error


def _check_characters(source: SourceText) -> None:
    """Outside quotes and comments all is plain ASCII: no full-width forms, no letters that look alike."""
    end = 0
    for token in source.tokens:
        gap = source.text[end : token.start]
        _check_plain(source, end, "" if "--" in gap or "/*" in gap else gap)
        if token.token_type not in _QUOTED:
            _check_plain(source, token.start, source.text[token.start : token.end + 1])
        end = token.end + 1


def _check_plain(source: SourceText, start: int, text: str) -> None:
    for offset, char in enumerate(text):
        if " " <= char <= "~" or char in "\t\r\n":
            continue
        name = unicodedata.name(char, "control character")
        reason = say(
            "%(character)s is not part of the language. Write names, signs and quotes with the plain half-width "
            'characters; labels in another script go in double quotes: AS "...".',
            character=f"U+{ord(char):04X} ({name.lower()})",
        )
        raise refuse(
            "guard.character", reason, source.place(start + offset, char if char.isprintable() else "")
        )


def _check_nesting(source: SourceText) -> None:
    depth = run = 0
    for token in source.tokens:
        kind = token.token_type
        depth += (kind in _OPEN) - (kind in _CLOSE)
        run = 0 if kind in _OPERANDS else run + 1
        if depth > MAX_DEPTH or run > MAX_RUN:
            raise refuse("guard.nesting", say("The query is nested too deeply."), source.token(token))
    if len(source.tokens) > MAX_TOKENS:
        reason = say("The query has more than %(most)d words and signs.", most=MAX_TOKENS)
        raise refuse("guard.too_long", reason)


def _check_statement(source: SourceText) -> None:
    tokens = source.tokens
    if not tokens:
        raise refuse("guard.syntax", say("The query is empty. Begin with SELECT."))
    for token in tokens[:-1]:
        if token.token_type is TokenType.SEMICOLON:
            raise refuse("guard.statement", say("Only one statement is allowed."), source.token(token))
    if tokens[0].token_type is TokenType.WITH:
        reason = say("%(word)s is not part of the language.", word="WITH")
        raise refuse("guard.node", reason, source.token(tokens[0]))
    if tokens[0].token_type is not TokenType.SELECT:
        raise refuse("guard.statement", say("The query must begin with SELECT."), source.token(tokens[0]))
    for token in tokens:
        if token.token_type in _FORBIDDEN:
            reason = say("%(word)s is not part of the language.", word=_FORBIDDEN[token.token_type])
            raise refuse("guard.node", reason, source.token(token))
