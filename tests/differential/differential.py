#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives Python's 0.1.11 controller and another one with the same seeded random requests and compares the answers.

    differential.py --subject cpp --seed 1 2 3 --steps 2000 --polling

Python's controller runs in this process, on real sockets. The subject is "cpp" (build/release/bin/tq), or, to try the
test itself, "python", "python-ascending" (Python's with our order of indexes) or the name of a defect of
diff_mutants.py; "defects": each of these, until a difference is found or the steps are over.

Requests name logical samples (diff_world.py), since the two hand out different indexes; what is compared and what may
differ: diff_judge.py; a fetch: diff_fetch.py; the kinds of steps: diff_steps.py and diff_hostile.py.

Without --polling a fetch that cannot be satisfied fails at once at both (no patience). --pre-alloc N makes each new
partition pre-allocate N indexes. The same seed gives the same requests as long as the subject's answers are the same.
Exit status 0: equal; 1: not, and the step, the request, both answers and the last ten exchanges are printed.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault("TQ_LOGGING_LEVEL", "CRITICAL")
for name in ("TIMEOUT", "CHECK_INTERVAL"):
    os.environ[f"TQ_CONTROLLER_GET_METADATA_{name}"] = "0"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", default="cpp")
    parser.add_argument("--seed", type=int, nargs="+", default=[random.randrange(1 << 30)])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--polling", action="store_true", help="controllers in polling mode")
    parser.add_argument("--pre-alloc", type=int, default=1, metavar="N")
    parser.add_argument("--counts", action="store_true", help="print how often each kind of answer came")
    return parser.parse_args()


def subject_controller(name: str, polling: bool, stack: ExitStack) -> dict:
    """The address of a fresh subject."""
    from diff_mutants import SUBJECTS, python_controller
    from judged import NO_REST, controller_of_ours

    if name != "cpp":
        return python_controller(polling, SUBJECTS[name])
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return stack.enter_context(controller_of_ours(folder, (*NO_REST, *(("--polling",) if polling else ()))))


def run(seed: int, subject_name: str, args: argparse.Namespace) -> tuple[bool, str]:
    import zmq

    from diff_driver import Driver
    from diff_mutants import python_controller
    from diff_steps import take
    from diff_world import Mismatch, Side

    started = time.monotonic()
    with ExitStack() as stack, zmq.Context() as context:
        reference = Side("Python", python_controller(args.polling), context)
        subject = Side(subject_name, subject_controller(subject_name, args.polling, stack), context)
        driver = Driver(reference, subject, random.Random(seed), args.polling)
        try:
            for driver.step in range(args.steps):
                take(driver)
        except Mismatch as mismatch:
            again = f"--subject {subject_name} --seed {seed} --steps {driver.step + 1} --pre-alloc {args.pre_alloc}"
            told = f"seed {seed}, step {driver.step}: {mismatch}\nthe last exchanges:\n{driver.log}"
            return False, f"{told}\nagain: differential.py {again}{' --polling' if args.polling else ''}"
        finally:
            context.destroy(linger=0)
    allowed = ", ".join(f"{name} {count}" for name, count in sorted(driver.judge.used.items())) or "none"
    seconds = f"{time.monotonic() - started:.1f} s"
    lines = [f"seed {seed}: {args.steps} steps, {driver.judge.compared} answers equal in {seconds}; allowed: {allowed}"]
    lines += [f"  {count:6} {name}" for name, count in sorted(driver.answers.items())] if args.counts else []
    return True, "\n".join(lines)


def main() -> int:
    args = parsed()
    os.environ["TQ_PRE_ALLOC_SAMPLE_NUM"] = str(args.pre_alloc)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if args.subject == "defects":
        return find_defects(args)
    for seed in args.seed:
        equal, told = run(seed, args.subject, args)
        print(told, flush=True)
        if not equal:
            return 1
    return 0


def find_defects(args: argparse.Namespace) -> int:
    from diff_mutants import DEFECTS

    missed = 0
    for defect in DEFECTS:
        for seed in args.seed:
            equal, told = run(seed, defect.__name__, args)
            print(
                f"{defect.__name__}: {'missed with seed ' + str(seed) if equal else 'found, ' + told.splitlines()[0]}",
                flush=True,
            )
            if not equal:
                break
        missed += equal
    return 1 if missed else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Python's controllers have threads that never end
