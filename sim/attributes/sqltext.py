"""Which SQL is a scalar expression over one row, and which columns it reads.

A scenario's expressions are data from a stranger, so what they may contain is listed, not what they may not: operators,
literals, CASE, CAST, the functions below and names of columns. Aggregates, windows, subqueries, the clock, random
numbers, files and tables are outside the list, and so is everything that has not been thought of.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise

MAX_LENGTH = 4_000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    """
    ABS ACOS ACOSD ASIN ASIND ATAN ATAND ATAN2 ATAN2D CBRT CEIL CEILING COS COSD COT COTD DEGREES DIV EXP FLOOR LN LOG
    LOG1P LOG2 LOG10 MOD PI POW POWER RADIANS ROUND SIGN SIN SIND SQRT TAN TAND TRUNC TRUNCATE
    COALESCE GREATEST LEAST IF IFNULL NULLIF CAST TRY_CAST
    BIT_LENGTH CHAR_LENGTH CHARACTER_LENGTH CONCAT CONCAT_WS ENDS_WITH INITCAP LEFT LENGTH LOWER LTRIM OCTET_LENGTH
    POSITION REGEXP_LIKE REPLACE REVERSE RIGHT RTRIM SPLIT_PART STARTS_WITH STRPOS SUBSTR SUBSTRING TRIM UPPER
    DATE DATE_PART DATE_TRUNC EXTRACT STRFTIME
    BIT_AND BIT_COUNT BIT_OR BIT_XOR
    """
)
"""Functions whose result for a row depends on that row alone."""

AGGREGATES = _words(
    """
    ARRAY_AGG AVG CORR COUNT COVAR COVAR_POP COVAR_SAMP FIRST FIRST_VALUE GROUP_CONCAT LAG LAST LAST_VALUE LEAD LISTAGG
    MAX MEDIAN MIN MODE QUANTILE_CONT QUANTILE_DISC RANK DENSE_RANK ROW_NUMBER STDDEV STDDEV_SAMP STDEV STRING_AGG SUM
    VAR VARIANCE VAR_SAMP
    """
)
UNREPEATABLE = _words(
    """
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP NOW GETDATE TODAY RAND RANDOM UUID
    """
)
CLAUSES = _words(
    """
    ALL ANY ARRAY COLUMNS DISTINCT EXISTS EXCEPT FILTER FROM GROUP HAVING INTERSECT JOIN LIMIT ORDER OVER PARTITION
    QUALIFY SELECT STRUCT UNION UNNEST VALUES WHERE WINDOW WITH WITHIN
    """
)
OPERATORS = _words("AND BETWEEN CASE ELSE END ILIKE IN IS LIKE NOT NULL OR RLIKE REGEXP THEN TRUE FALSE WHEN")
TYPES = {
    **dict.fromkeys(("BIGINT", "INT", "INTEGER", "SMALLINT", "TINYINT"), "BIGINT"),
    **dict.fromkeys(("DOUBLE", "FLOAT", "REAL"), "DOUBLE"),
    **dict.fromkeys(("VARCHAR", "TEXT", "STRING"), "VARCHAR"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "BOOLEAN"),
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
}
"""Types to cast to, and the one of each kind that facts have."""

PARTS = _words(
    """
    CENTURY DAY DECADE DOW DOY EPOCH HOUR ISODOW ISOYEAR MICROSECOND MILLENNIUM MILLISECOND MINUTE MONTH QUARTER SECOND
    WEEK YEAR
    """
)
TYPED_LITERALS = frozenset({"DATE", "TIMESTAMP", "INTERVAL"})

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>--|/\*)
      | (?P<string>'(?:[^']|'')*')
      | "(?P<quoted>[^"]+)"
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<symbol><=>|<>|!=|>=|<=|\|\||::|//|[-+*/%<>=(),&|])""",
    re.VERBOSE | re.ASCII,
)


class RefusedSql(ValueError):
    """An expression that is not allowed; the message has the expression and the reason."""

    def __init__(self, sql: str, reason: str) -> None:
        short = sql if len(sql) <= 100 else f"{sql[:97]}..."
        super().__init__(f"{short!r}: {reason}")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression: its kind (a group of the pattern above) and its text."""

    kind: str
    text: str

    @property
    def upper(self) -> str:
        """The text as keywords are compared."""
        return self.text.upper()


END = Token("end", "")


def tokens(sql: str) -> Iterator[Token]:
    """Cut an expression into words; raises RefusedSql for comments and for characters that are no part of one."""
    if len(sql) > MAX_LENGTH:
        raise RefusedSql(sql, f"longer than {MAX_LENGTH} characters")
    place = 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        if match is None:
            raise RefusedSql(sql, f"{sql[place]!r} is not allowed in an expression")
        if match.lastgroup == "comment":
            raise RefusedSql(sql, "comments are not allowed in an expression")
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[str(match.lastgroup)])
        place = match.end()


@dataclass(slots=True)
class Reader:
    """Reads an expression word by word, keeps the names of columns and writes SQL in which these are quoted.

    Quoting makes "product.price" one name of a column, and lets columns have the names of keywords of SQL that do
    nothing in an expression.
    """

    sql: str
    reads: set[str] = field(default_factory=set)
    text: list[str] = field(default_factory=list)
    _calls: list[str] = field(default_factory=list)
    _before: Token = END

    def read(self) -> None:
        """Go through all words; raises RefusedSql at the first that is not allowed."""
        words = [*tokens(self.sql), END]
        for word, after in pairwise(words):
            self.text.append(self._written(word, after))
            self._before = word
        if not self.text:
            raise RefusedSql(self.sql, "the expression is empty")

    def _written(self, word: Token, after: Token) -> str:
        if word.kind == "quoted":
            return self._column(word.text)
        if word.kind == "name":
            return self._name(word, after)
        if word.kind == "number" and "." in word.text and "e" not in word.text.lower():
            return f"{word.text}e0"  # polars reads 1.5 as a decimal and 1.5e0 as a float
        if word.text == "*" and self._before.kind == "symbol" and self._before.text != ")":
            raise RefusedSql(self.sql, "* stands for multiplication only")
        if word.text == "(":
            self._calls.append(self._before.upper if self._before.kind == "name" else "")
        if word.text == ")" and self._calls:
            self._calls.pop()
        return word.text

    def _name(self, word: Token, after: Token) -> str:
        upper, call = word.upper, self._calls[-1] if self._calls else ""
        if self._before.text == "::" or (self._before.upper == "AS" and call in {"CAST", "TRY_CAST"}):
            return TYPES[self._among(word, TYPES, "a type")]
        if self._before.upper == "DOUBLE" and upper == "PRECISION":
            return upper
        if call == "EXTRACT" and self._before.text == "(":
            return self._among(word, PARTS, "a part of a time")
        if upper in TYPED_LITERALS and after.kind == "string":
            return upper
        if after.text == "(" and upper not in OPERATORS:
            return self._function(word)
        return self._keyword(word, call) or self._column(word.text)

    def _keyword(self, word: Token, call: str) -> str:
        upper, before = word.upper, self._before.upper
        if upper in OPERATORS or (upper == "AS" and call in {"CAST", "TRY_CAST"}):
            return upper
        if upper == "FROM" and (call in {"EXTRACT", "TRIM", "SUBSTRING"} or before == "DISTINCT"):
            return upper
        if (upper == "FOR" and call == "SUBSTRING") or (upper == "DISTINCT" and before in {"IS", "NOT"}):
            return upper
        if upper in {"BOTH", "LEADING", "TRAILING"} and call == "TRIM" and self._before.text == "(":
            return upper
        self._refuse_clause(upper)
        return ""

    def _refuse_clause(self, upper: str) -> None:
        if upper in UNREPEATABLE:
            raise RefusedSql(self.sql, f"{upper} is not repeatable; use event_time, or a generator with its own seed")
        if upper in CLAUSES or upper == "AS":
            raise RefusedSql(
                self.sql, f"{upper} is not allowed: an expression sees one row, without queries or windows"
            )

    def _function(self, word: Token) -> str:
        upper = word.upper
        self._refuse_clause(upper)
        if upper in AGGREGATES:
            raise RefusedSql(self.sql, f"{upper} looks at many rows; an expression sees one")
        return self._among(word, FUNCTIONS, "a function that expressions have")

    def _among(self, word: Token, allowed: Collection[str], what: str) -> str:
        if word.upper in allowed:
            return word.upper
        near = get_close_matches(word.upper, allowed, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(allowed))}"
        raise RefusedSql(self.sql, f"{word.text} is not {what}; {hint}")

    def _column(self, name: str) -> str:
        self.reads.add(name)
        return f'"{name}"'
