"""The command ``python -m gradguide``: watch a training script, and say why.

It runs the script as Python would, and stops it after some iterations.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import traceback
from types import FrameType, TracebackType
from typing import NoReturn

from gradguide._report.report import Report
from gradguide._watch.iterations import Iterations
from gradguide._watch.judge import rows
from gradguide._watch.observer import Observer
from gradguide._watch.ranks import together
from gradguide._watch.script import Script, ScriptError
from gradguide._watch.traceback import without_own_frames
from gradguide._watch.watch import notes

WAIT = 60.0
"""The seconds after which the command says that it still waits for a backward."""

INTERRUPTED = 130
USAGE = 2


class Enough(BaseException):
    """Stops the script. It is no ``Exception``, so that libraries let it through."""


def main() -> NoReturn:
    """Run the command with the arguments of the process; end the process."""
    options = _parser().parse_args()
    if options.module is not None:
        name, arguments = options.module[0], options.module[1:]
    elif options.script:
        name, arguments = options.script[0], options.script[1:]
    else:
        _parser().error("give the script to run: python -m gradguide train.py")
    try:
        script = Script(name, arguments, is_module=options.module is not None)
    except ScriptError as error:
        print(f"gradguide: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except SyntaxError as error:
        traceback.print_exception(error.with_traceback(None))
        sys.exit(1)
    sys.exit(_watch(script, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gradguide",
        usage="python -m gradguide [--steps N] [--go-on] [--json] train.py [ARG ...]\n"
        "       python -m gradguide [--steps N] [--go-on] [--json] -m package.module "
        "[ARG ...]",
        description="Run a PyTorch training script, watch its first iterations, and "
        "say which parameters do not train, why, and at which line.",
        epilog="The script runs as with Python itself: nothing in it has to be "
        "changed, and its output is untouched. An iteration is over when every "
        "optimizer in use has made a step. Then the report is printed to stderr, and "
        "the script is stopped. If it ends or fails before, the report says what was "
        "seen until then. Exit code: 0 without a problem, 1 with problems; if the "
        "script failed, its own.",
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
    number = int(text)
    if number < 1:
        msg = "at least 1"
        raise argparse.ArgumentTypeError(msg)
    return number


class _Session:
    """A script that is watched, and its report, which is printed once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.observer = Observer()
        self._options = options
        self._iterations = Iterations(self.observer, options.steps, self._enough)
        self.report: Report | None = None
        self._ended = threading.Event()
        self._waiter = threading.Thread(target=self._wait, daemon=True)

    def start(self) -> None:
        self._waiter.start()
        self.observer.start()

    def finish(self, error: BaseException | None = None) -> None:
        """Stop watching, and print the report, if that was not done before."""
        if self.report is not None:
            return
        self._ended.set()
        self.observer.failed = isinstance(error, Exception)
        try:
            trace = error.__traceback__ if error is not None else None
            self.observer.look_for_names(_frame_of(trace))
            self.observer.stop()
            found, said = rows(self.observer), self._said()
        except Exception as trouble:  # noqa: BLE001 it must not cost the run
            self.observer.stop()
            found = []
            said = [f"gradguide itself failed: {type(trouble).__name__}: {trouble}"]
        self.report = Report(found, said)
        sys.stdout.flush()
        text = _json(self.report) if self._options.json else _text(self.report)
        together(text, self.report)

    def _enough(self) -> None:
        self.finish()
        if not self._options.go_on:
            raise Enough

    def _said(self) -> list[str]:
        seen = self.observer
        if not seen.backwards and not seen.steps.counts:
            return ["The script ended without a backward.", *notes(seen)]
        return [self._iterations.summary(), *notes(seen)]

    def _wait(self) -> None:
        minutes = 0
        while not self._ended.wait(WAIT):
            minutes += 1
            if not self.observer.backwards and not self.observer.steps.counts:
                plural = "" if minutes == 1 else "s"
                print(
                    f"gradguide: no backward after {minutes} minute{plural}; waiting",
                    file=sys.stderr,
                    flush=True,
                )


def _watch(script: Script, options: argparse.Namespace) -> int:
    """Run a script; return the exit code."""
    session = _Session(options)
    session.start()
    code = 0
    try:
        script.run()
        session.finish()
    except Enough:
        pass
    except SystemExit as leave:
        session.finish(leave)
        if leave.code is not None and not isinstance(leave.code, int):
            print(leave.code, file=sys.stderr)
            code = 1
        else:
            code = leave.code or 0
    except BaseException as error:  # noqa: BLE001 the traceback is printed as ever
        clean = without_own_frames(error)
        sys.excepthook(type(clean), clean, clean.__traceback__)
        session.finish(error)
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return code or int(bool(session.report and session.report.problems))


def _frame_of(trace: TracebackType | None) -> FrameType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame if trace is not None else None


def _text(report: Report) -> str:
    summary = str(report.problems).partition("\n")[0]
    return f"\ngradguide: {report}\n{summary[0].upper()}{summary[1:]}."


def _json(report: Report) -> str:
    found = [{**row._asdict(), "is_problem": row.is_problem} for row in report]
    rank = os.environ.get("RANK")
    whole = {"problems": len(report.problems), "rows": found, "notes": report.notes}
    return json.dumps(whole if rank is None else {**whole, "rank": int(rank)})
