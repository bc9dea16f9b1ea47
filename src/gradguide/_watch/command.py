"""The command ``python -m gradguide``: watch a training script, and say why.

It runs the script as Python would, and stops it after some iterations.
"""

from __future__ import annotations

import _thread
import argparse
import json
import os
import sys
import threading
from contextlib import suppress
from traceback import walk_tb
from typing import NoReturn

from gradguide._report.report import Report
from gradguide._watch.ending import Enough, end_later, insist
from gradguide._watch.iterations import Iterations, counted
from gradguide._watch.known_errors import page_of
from gradguide._watch.observation import end_of
from gradguide._watch.observer import Observer
from gradguide._watch.ranks import Ranks
from gradguide._watch.script import Script, ScriptError
from gradguide._watch.traceback import without_own_frames

WAIT = 60.0
"""The seconds after which the command says that it still waits for a backward."""

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command with the arguments of the process; end the process."""
    parser = _parser()
    options = parser.parse_args()
    is_module = options.module is not None
    given = options.module if is_module else options.script
    if not given:
        what = "the module: -m package.module" if is_module else "the script: train.py"
        parser.error(f"give {what}")
    try:
        script = Script(given[0], given[1:], is_module=is_module)
    except ScriptError as error:
        print(f"gradguide: {error}", file=sys.stderr)
        sys.exit(error.code)
    except Exception as error:  # noqa: BLE001 of the user's own file or package
        _print_traceback(error)
        sys.exit(1)
    sys.exit(_watch(script, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gradguide",
        allow_abbrev=False,
        usage="python -m gradguide [--steps N] [--go-on] [--json] train.py [ARG ...]\n"
        "       python -m gradguide [--steps N] [--go-on] [--json] -m package.module "
        "[ARG ...]",
        description="Run a PyTorch training script, watch its first iterations, and "
        "say which parameters do not train, why, and at which line.",
        epilog="The script runs as with Python itself: nothing in it has to be "
        "changed, and its output is untouched. An iteration is over when every "
        "optimizer in use has made a step. After the last one that is watched, the "
        "report is printed to stderr, and the script is stopped. If it ends or fails "
        "before, its traceback is printed as ever, and the report below says what was "
        "seen until then. While the command waits for the first backward, it says so "
        "every minute. Several processes: torchrun --nproc-per-node 2 -m gradguide "
        "train.py; the first process reports, and says what differs in the others. "
        "Exit code: 0 without a problem, 1 with problems; if the script failed or "
        "called sys.exit(), its own; 130 after Ctrl-C; 2 if the command can't run it.",
    )
    parser.add_argument(
        "--steps",
        type=_count,
        default=3,
        metavar="N",
        help="how many iterations to watch (3)",
    )
    parser.add_argument(
        "--go-on",
        action="store_true",
        help="let the script run to its end after the report",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the report as one line of JSON, also to stderr",
    )
    parser.add_argument(
        "-m",
        dest="module",
        nargs=argparse.REMAINDER,
        metavar="package.module",
        help="run a module, as python -m does; all that follows is for it",
    )
    parser.add_argument(
        "script",
        nargs=argparse.REMAINDER,
        metavar="train.py [ARG ...]",
        help="the script to run, and its own arguments",
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"expected a whole number from 1 on, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


class _Session:
    """A script that is watched, and its report, which is printed once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.observer = Observer()
        self.ranks = Ranks()
        self._options = options
        self._iterations = Iterations(self.observer, options.steps, self._enough)
        self.observer.after_trouble = self.finish
        self.report: Report | None = None
        self._is_enough = False
        self._is_finished = False
        self._process = os.getpid()
        self._ended = threading.Event()
        self._time_of_others = _time_of_other_processes()

    def start(self) -> None:
        # A thread of threading would be one more that threading.enumerate() returns.
        _thread.start_new_thread(self._wait, ())
        self.observer.start()

    def finish(self, error: BaseException | None = None) -> None:
        """Stop watching, and print the report, if that was not done before."""
        if self._is_finished or os.getpid() != self._process:
            return
        self._is_finished = True
        self._ended.set()
        self.observer.failed = isinstance(error, Exception)
        self.observer.ended = error is None or isinstance(error, SystemExit)
        trace = error.__traceback__ if error is not None else None
        frames = [frame for frame, _ in walk_tb(trace)]
        found, said = end_of(self.observer, frames[-1] if frames else None)
        address = page_of(error)
        known = [f"The error is explained here: {address}"] if address else []
        if self._is_enough and not Report(found).problems:
            known.append("What goes wrong in a later iteration is seen with --steps N.")
        self.report = Report(found, [*self._said(), *said, *known])
        with suppress(Exception):  # the script may have closed or replaced it
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            text = _json(self.report) if self._options.json else _text(self.report)
            is_broken = self.observer.trouble is not None
            if is_broken and not self._options.json:
                text = f"\ngradguide: {said[-1]}; the script goes on"
            self.ranks.tell(text, self.report, is_for_all=is_broken)

    def _enough(self) -> None:
        self._is_enough = True
        self.finish()
        if not self._options.go_on:
            insist(self.code)
            raise Enough

    @property
    def code(self) -> int:
        """The exit code of a script that has not failed."""
        return int(bool(self.report and self.report.problems))

    def _said(self) -> list[str]:
        seen = self.observer
        if seen.backwards.count or seen.steps.count:
            return [self._iterations.summary()]
        said = "The script ended without a backward"
        if seen.saw_threads:
            return [f"{said} in its main thread; other threads are not watched."]
        if _time_of_other_processes() > self._time_of_others:
            how = "use gradguide.watch() in the function that another one runs"
            return [f"{said} in its first process; {how}."]
        if seen.forwards:
            return [f"{said}, after {counted(seen.forwards, 'forward')}."]
        return [f"{said}."]

    def _wait(self) -> None:
        minutes = 0
        while not self._ended.wait(WAIT):
            if self.observer.backwards.count or self.observer.steps.count:
                return
            minutes += 1
            with suppress(OSError, ValueError):
                print(
                    f"gradguide: no backward after {counted(minutes, 'minute')}; "
                    "waiting",
                    file=sys.stderr,
                    flush=True,
                )


def _watch(script: Script, options: argparse.Namespace) -> int:
    """Run a script; return the exit code."""
    session = _Session(options)
    session.start()
    code = _run(script, session)
    session.ranks.meet()
    return code


def _run(script: Script, session: _Session) -> int:
    try:
        script.run()
        session.finish()
    except Enough:
        end_later(session.code)
    except SystemExit as leave:
        code = leave.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
        session.finish(leave)
        return code or session.code
    except BaseException as error:  # noqa: BLE001 the traceback is printed as ever
        _print_traceback(error)
        session.finish(error)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return session.code


def _print_traceback(error: BaseException) -> None:
    clean = without_own_frames(error)
    try:
        sys.excepthook(type(clean), clean, clean.__traceback__)
    except Exception as failure:  # noqa: BLE001 as Python does it
        print("Error in sys.excepthook:", file=sys.stderr)
        other = without_own_frames(failure)
        sys.__excepthook__(type(other), other, other.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(clean), clean, clean.__traceback__)


def _time_of_other_processes() -> float:
    """Return the processor time of the processes that this one has started."""
    times = os.times()
    return times.children_user + times.children_system


def _text(report: Report) -> str:
    summary = str(report.problems).partition("\n")[0]
    return f"\ngradguide: {report}\n{summary[0].upper()}{summary[1:]}."


def _json(report: Report) -> str:
    found = [{**row._asdict(), "is_problem": row.is_problem} for row in report]
    rank = os.environ.get("RANK")
    whole = {"problems": len(report.problems), "rows": found, "notes": report.notes}
    return json.dumps(whole if rank is None else {**whole, "rank": int(rank)})
