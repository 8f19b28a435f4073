"""Walks on a stack of their own, for minutes: `python -m tests.chaos.books --minutes 5 [--seed N] [--shrink]`.

Each round walks through several scripts at once, mends everything, reconciles, and looks at every order. A round that
broke a promise ends it: its scripts are written beside the logs, and with --shrink cut down to the steps that matter.
The last line is one JSON object; the exit status is 1 when a promise was broken.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from infra.local.blocking import BlockingStack
from infra.local.layout import PROJECT
from infra.local.stack import Stack
from tests.chaos.ending import Outcomes, ended
from tests.chaos.script import HEAVY, Step, script, without
from tests.chaos.walk import Walk
from tests.e2e.scene import opened
from worker.config import WorkerConfig, load

DIRECTORY = PROJECT / ".local" / "chaos"
WIDTH, STEPS = 4, 30


def config_of(stack: BlockingStack) -> WorkerConfig:
    """Return the stack's settings, as the command line reads them."""
    before = dict(os.environ)
    os.environ.update(stack.env)
    try:
        return load()
    finally:
        os.environ.clear()
        os.environ.update(before)


async def round_of(stack: BlockingStack, scripts: Sequence[Sequence[Step]], log: Path) -> Outcomes:
    """Walk through the scripts at once and return what they came to; what they did is written to `log`."""
    async with opened(stack, config_of(stack), set()) as scene:
        stopping = asyncio.Lock()
        walks = [Walk(scene=scene, stopping=stopping) for _ in scripts]
        try:
            jobs = (walk.through(list(steps)) for walk, steps in zip(walks, scripts, strict=True))
            await asyncio.gather(*jobs)
            return await ended(scene, walks)
        except (AssertionError, TimeoutError) as problem:
            return Outcomes(
                orders_accepted=sum(len(walk.sold) for walk in walks),
                faults_injected=sum(walk.faults for walk in walks),
                invariants_broken=[f"{type(problem).__name__}: {problem}"],
            )
        finally:
            log.write_text("\n\n".join("\n".join(walk.log) for walk in walks) + "\n", encoding="utf-8")


def walked(scripts: Sequence[Sequence[Step]], directory: Path, name: str) -> Outcomes:
    """Do one round on a fresh stack."""
    with BlockingStack(Stack(directory / "stack")) as stack:
        return asyncio.run(round_of(stack, scripts, directory / f"{name}.log"))


def shrunk(scripts: Sequence[Sequence[Step]], directory: Path, deadline: float) -> list[list[Step]]:
    """Leave out walks and stretches of steps for as long as the rest still breaks a promise and there is time."""
    best = [list(steps) for steps in scripts]

    def breaks(candidate: list[list[Step]]) -> bool:
        return not walked(candidate, directory, "shrinking").whole

    for number in range(len(best) - 1, -1, -1):
        fewer = [steps for position, steps in enumerate(best) if position != number]
        if fewer and time.monotonic() < deadline and breaks(fewer):
            best = fewer
    length = max(map(len, best)) // 2
    while length and time.monotonic() < deadline:
        for number, steps in enumerate(best):
            start = 0
            while start < len(steps) and time.monotonic() < deadline:
                shorter = without(steps, start, length)
                candidate = [*best[:number], shorter, *best[number + 1 :]]
                if breaks(candidate):
                    best = candidate
                    steps = shorter  # noqa: PLW2901 - what is left of this walk
                else:
                    start += length
        length //= 2
    return best


def main(arguments: list[str] | None = None) -> int:
    """Walk until the time is over or a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.books", description="Random days, for minutes.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="first seed (default: the clock's)")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of a walk (default: %(default)s)")
    parser.add_argument("--walks", type=int, default=WIDTH, help="walks at once (default: %(default)s)")
    parser.add_argument("--script", type=Path, help="walk once through this file of an earlier failure instead")
    parser.add_argument("--shrink", action="store_true", help="cut a failing script down, within as many minutes again")
    wish = parser.parse_args(arguments)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    total, rounds, seed = Outcomes(), 0, wish.seed
    began = time.monotonic()
    scripts: list[list[Step]] = []
    with BlockingStack(Stack(DIRECTORY / "stack")) as stack:
        while (
            total.whole
            and (not rounds or time.monotonic() - began < wish.minutes * 60)
            and not (rounds and wish.script)
        ):
            scripts = [script(seed + number, wish.steps, HEAVY) for number in range(wish.walks)]
            if wish.script:
                told = json.loads(wish.script.read_text("utf-8"))
                scripts = [[Step(**step) for step in steps] for steps in told]
            came = asyncio.run(round_of(stack, scripts, DIRECTORY / "walk.log"))
            total = added(total, came)
            rounds += 1
            print(
                f"{time.monotonic() - began:6.0f} s  seeds {seed}..{seed + wish.walks - 1}: {came.orders_accepted} orders, "
                f"{came.faults_injected} faults, {came.repairs_requested} repairs, {came.differences_reported} reported, "
                f"{'whole' if came.whole else 'BROKEN'}",
                file=sys.stderr,
                flush=True,
            )
            seed += wish.walks
    if not total.whole:
        for text in (*total.orders_lost, *total.double_charges, *total.invariants_broken):
            print(f"  {text}", file=sys.stderr)
        if wish.shrink:
            scripts = shrunk(scripts, DIRECTORY, time.monotonic() + wish.minutes * 60)
        failing = DIRECTORY / "failing.json"
        failing.write_text(json.dumps([[step.document() for step in steps] for steps in scripts], indent=1))
        print(f"  scripts: {failing}   what they did: {DIRECTORY / 'walk.log'}", file=sys.stderr)
    summary = {
        "faults_injected": total.faults_injected,
        "orders_accepted": total.orders_accepted,
        "orders_lost": len(total.orders_lost),
        "double_charges": len(total.double_charges),
        "invariants_broken": len(total.invariants_broken),
        "repairs_requested": total.repairs_requested,
        "differences_reported": total.differences_reported,
        "rounds": rounds,
        "seed": wish.seed,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(summary))
    return 0 if total.whole else 1


def added(total: Outcomes, came: Outcomes) -> Outcomes:
    """Return the sums of two rounds."""
    one, other = asdict(total), asdict(came)
    return Outcomes(**{name: one[name] + other[name] for name in one})


if __name__ == "__main__":
    sys.exit(main())
