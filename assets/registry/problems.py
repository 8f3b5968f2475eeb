"""Problems of inputs: what is wrong, where, what was expected and what to do.

Belongs here: the problem, its rendering, the exception that carries all of them, and the cap per file.
Must not be here: rules that find problems.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from assets.registry.secret_shapes import HIDDEN, secret_kind, shown

PROBLEMS_PER_FILE = 100
SECRET_REMEDY = "remove it, move what it guards to a new key, and name an environment variable instead"  # noqa: S105 -- advice, no secret


class PermanentFailure(Exception):  # noqa: N818 -- the failure types are named so in the whole project
    """A failure that a retry cannot mend."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one place in the inputs.

    Attributes:
        file: path relative to the inputs folder, with `/`.
        line: line in the file, from 1; None when the whole file is meant.
        column: the column's name in a CSV file; the character's number from 1 in YAML.
        value: what stands there; a value that looks like a secret is replaced by `(hidden)` on construction.
        expected: what would have been right.
        remedy: what to do next.
    """

    file: str
    line: int | None
    column: str | int | None
    value: str | None
    expected: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.column, str) and secret_kind(self.column):
            object.__setattr__(self, "column", HIDDEN)
        kind = secret_kind(self.value) if self.value is not None else None
        if kind:
            object.__setattr__(self, "value", HIDDEN)
            object.__setattr__(self, "expected", f"no {kind} in any input file")
            object.__setattr__(self, "remedy", SECRET_REMEDY)

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
        if isinstance(self.column, int):
            place += f":{self.column}"
        elif self.column is not None:
            place += f", column {self.column}"
        text = f"{place}: "
        if self.value is not None:
            text += f"{shown(self.value)}: "
        text += f"expected {self.expected}"
        return f"{text}; {self.remedy}" if self.remedy else text


class InputProblems(PermanentFailure):
    """The inputs cannot be read as they are; nothing was written."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=_position)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class FileProblems:
    """Collects one file's problems and keeps the first hundred."""

    file: str
    _problems: list[Problem] = field(default_factory=list)
    _uncounted: int = 0

    def add(self, line: int | None, column: str | int | None, value: str | None, expected: str, remedy: str) -> None:
        """Add one problem of this file."""
        self._problems.append(Problem(self.file, line, column, value, expected, remedy))

    def add_more(self, count: int) -> None:
        """Count problems that are not spelled out."""
        self._uncounted += count

    def __bool__(self) -> bool:
        return bool(self._problems)

    def __iter__(self) -> Iterator[Problem]:
        ordered = sorted(self._problems, key=_position)
        yield from ordered[:PROBLEMS_PER_FILE]
        more = len(ordered[PROBLEMS_PER_FILE:]) + self._uncounted
        if more:
            yield Problem(
                self.file,
                None,
                None,
                None,
                f"no further problems, found {more} more",
                "mend these first, then ask again",
            )


def _position(problem: Problem) -> tuple[str, float, str]:
    """Whole-file notes come last."""
    line = float("inf") if problem.line is None else problem.line
    column = f"{problem.column:06d}" if isinstance(problem.column, int) else str(problem.column)
    return problem.file, line, column
