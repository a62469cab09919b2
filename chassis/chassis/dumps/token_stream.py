"""Tokens with one token of foresight, and what statements ask of them."""

from collections.abc import Iterator

from chassis.dumps.mysql_dump import DumpBroken, Token


class TokenStream:
    """Tokens one after the other; ``head`` is the next one.

    Every method raises `DumpBroken` where the file ends, or goes on in another manner than asked for.
    """

    def __init__(self, source: Iterator[Token]) -> None:
        self._source = source
        self._end = Token("end", "", 0)
        self.head = next(source, self._end)

    def is_at_end(self) -> bool:
        """Say whether all tokens are taken."""
        return self.head is self._end

    def take(self) -> Token:
        """Take the next token."""
        if self.is_at_end():
            raise DumpBroken("the file ends inside a statement; it is cut off")
        token, self.head = self.head, next(self._source, self._end)
        return token

    def take_mark(self, mark: str) -> None:
        """Take the mark that must come next."""
        token = self.take()
        if not token.is_mark(mark):
            raise DumpBroken(f"line {token.line}: expected {mark} in a statement")

    def take_name(self) -> str:
        """Take a name, quoted or bare."""
        token = self.take()
        if token.kind not in ("name", "word"):
            raise DumpBroken(f"line {token.line}: expected a name")
        return token.value.rpartition(".")[2] if token.kind == "word" else token.value

    def take_table(self) -> str:
        """Take a table's name, without its schema, in lower case."""
        name = self.take_name()
        # The dot of schema.table belongs to a bare word, or is one: `schema`.`table`, schema.`table`, `schema`.table.
        while not name or (self.head.kind == "word" and self.head.value.startswith(".")):
            name = self.take_name()
        return name.lower()

    def skip_statement(self) -> None:
        """Skip everything up to the end of the statement."""
        while not self.is_at_end() and not self.take().is_mark(";"):
            pass
