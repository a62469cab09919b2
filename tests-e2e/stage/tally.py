"""What became of a run of requests: the numbers that the promises of the pipeline are about."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields

from stage.vendor import Text


@dataclass(frozen=True)
class Asked:
    """One request for a code and its answer; ``status`` None: the API died over it. Each has a mobile of its own."""

    mobile: str
    status: int | None
    seconds: float
    retry_after: str | None = None


@dataclass(frozen=True)
class Tally:
    """Counts of requests. The last four are the broken promises."""

    requests: int
    accepted: int  # 202
    refused: int  # 503
    texted: int
    by_first: int  # Texts of the vendor that was asked first, for a job.
    by_second: int  # Texts of another vendor.
    valid: int  # Accepted and texted, and the code works.
    given_up: int  # Accepted, and not texted, but the job's state says `uncertain` or `failed`.
    twice: int
    lost: int  # Accepted, and neither texted nor given up.
    ghost: int  # Texted after a 503.
    invalid: int  # Accepted and texted, but the code does not work.

    @property
    def broken(self) -> dict[str, int]:
        """The broken promises, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)[-4:] if getattr(self, each.name)}


def tally(
    asked: list[Asked], texts: Mapping[str, list[Text]], *, given_up: set[str], is_valid: Callable[[str, str], bool]
) -> Tally:
    """Count; ``is_valid`` tries a code."""
    accepted = [each.mobile for each in asked if each.status == 202]
    refused = [each.mobile for each in asked if each.status == 503]
    counts = {each.mobile: len(texts.get(each.mobile, ())) for each in asked}
    to_try = [mobile for mobile in accepted if counts[mobile]]
    with ThreadPoolExecutor(8) as pool:
        valid = list(pool.map(lambda mobile: is_valid(mobile, texts[mobile][-1].code), to_try))
    return Tally(
        requests=len(asked),
        accepted=len(accepted),
        refused=len(refused),
        texted=sum(count > 0 for count in counts.values()),
        by_first=sum(not text.is_of_second for each in asked for text in texts.get(each.mobile, ())),
        by_second=sum(text.is_of_second for each in asked for text in texts.get(each.mobile, ())),
        valid=valid.count(True),
        given_up=sum(not counts[mobile] and mobile in given_up for mobile in accepted),
        twice=sum(count > 1 for count in counts.values()),
        lost=sum(not counts[mobile] and mobile not in given_up for mobile in accepted),
        ghost=sum(counts[mobile] > 0 for mobile in refused),
        invalid=valid.count(False),
    )


def table(rows: list[tuple[str, Tally]]) -> list[str]:
    """Write the tallies as lines under a head."""
    names = [each.name.replace("_", " ") for each in fields(Tally)]
    width = max(len(fault) for fault, _ in rows)
    lines = [f"{'fault':{width}}  " + "  ".join(names)]
    for fault, row in rows:
        cells = "  ".join(f"{value:>{len(name)}}" for name, value in zip(names, astuple(row), strict=True))
        lines.append(f"{fault:{width}}  {cells}")
    return lines
