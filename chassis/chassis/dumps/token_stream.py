"""The tokens of a dump one after the other, with a look at the next one."""

from collections.abc import Iterable

from chassis.dumps.tokens import Dialect, DumpBroken, Token, Tokenizer


class FormUnknown(Exception):
    """A statement has another form than expected. The stream still stands inside it."""


class TokenStream:
    """The tokens of a dump; ``head`` is the next one, ``dialect`` may be changed at the end of a statement.

    Every method raises `DumpBroken` if the file ends where more must follow.
    """

    def __init__(self, chunks: Iterable[str]) -> None:
        self.dialect = Dialect()
        self._source = Tokenizer(self.dialect).read_tokens(chunks)
        self._end = Token("end of file", "", 0)
        self.head = next(self._source, self._end)

    def is_at_end(self) -> bool:
        """Say whether all tokens are taken."""
        return self.head is self._end

    def is_statement_over(self) -> bool:
        """Say whether the statement ends here, at its delimiter, at a semicolon or with the file."""
        return self.is_at_end() or self.head.kind == "end" or self.head.is_mark(";")

    def take(self) -> Token:
        """Take the next token."""
        if self.is_at_end():
            raise DumpBroken("the file ends inside a statement; it is cut off")
        token, self.head = self.head, next(self._source, self._end)
        return token

    def expect_mark(self, mark: str) -> None:
        """Take the next token; raises `FormUnknown` and takes nothing if it is not this mark."""
        if not self.is_at_end() and not self.head.is_mark(mark):
            raise FormUnknown
        self.take()

    def take_name(self) -> Token:
        """Take a name, quoted or bare, as a token whose value has no schema; raises `FormUnknown` as `expect_mark`."""
        if not self.is_at_end() and self.head.kind not in ("name", "quoted", "word"):
            raise FormUnknown
        token = self.take()
        return Token(token.kind, token.value.rpartition(".")[2], token.line) if token.kind == "word" else token

    def take_table(self) -> Token:
        """Take a table's name, without its schema, in lower case; raises as `take_name`."""
        name = self.take_name()
        # The dot of schema.table belongs to a bare word, or is one: `schema`.`table`, schema.`table`, `schema`.table.
        while not name.value or (self.head.kind == "word" and self.head.value.startswith(".")):
            name = self.take_name()
        return Token(name.kind, name.value.lower(), name.line)
