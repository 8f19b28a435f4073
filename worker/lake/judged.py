"""What the rules said of a part, as a file: a JSON document in which each finding has a line of its own.

So whoever only hands the findings on takes their lines as they are. A finding is written once, when it is judged.
"""

import json
from dataclasses import asdict

from worker.domain.finding_codec import decode_finding, finding_text
from worker.domain.matching.sums import WindowSums
from worker.services.ports.lake import Judged, Kept


def written(judged: Judged) -> bytes:
    """Return the document."""
    sums = json.dumps([asdict(one) for one in judged.sums], ensure_ascii=False)
    head = f'{{"agreeing":{judged.agreeing},"sums":{sums},"findings":['
    return "\n".join([head, ",\n".join(map(finding_text, judged.findings)), "]}", ""]).encode()


def read_judged(content: bytes) -> Kept:
    """Return what a document keeps."""
    head, *texts = content.decode().split("\n")
    if not head.endswith('"findings":['):
        return _of_one_line(content)
    about = json.loads(f"{head}]}}")
    return Kept(
        # A finding holds no end of a line: in JSON it is written as two other characters.
        texts=tuple(text.removesuffix(",") for text in texts[:-2] if text),
        sums=_sums(about),
        agreeing=about["agreeing"],
    )


def _of_one_line(content: bytes) -> Kept:
    """Return what a document of an older release keeps, to which lines were nothing."""
    document = json.loads(content)
    return Kept(
        texts=tuple(finding_text(decode_finding(one)) for one in document["findings"]),
        sums=_sums(document),
        # The first of them kept a finding of every key.
        agreeing=document.get("agreeing", 0),
    )


def _sums(document: dict[str, list[dict[str, int | str]]]) -> tuple[WindowSums, ...]:
    return tuple(WindowSums(**one) for one in document["sums"])  # type: ignore[arg-type]
