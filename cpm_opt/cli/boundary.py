"""The one place where what went wrong becomes an exit code and a message.

0 done    1 a defect of ours    2 faults in the input or the call    3, 4 returned by `solve`
128 + n stopped by signal n (130 Ctrl-C, 143 SIGTERM, 141 the reader of our output has gone)
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from typer import BadParameter
from typer.core import TyperGroup

from cpm_opt.cli.output import one_line, write_error, write_faults, write_json
from cpm_opt.faults import Fault, InputError, Interrupted

DONE, DEFECT, FAULTS = 0, 1, 2
SIGNAL = 128
# Mistakes in the call: ClickException. A newer Typer carries its own copy of click and exports only this subclass.
CallError: type[Exception] = BadParameter.__mro__[2]


class CommandGroup(TyperGroup):
    """The group of all commands, which turns every error into its exit code; no traceback gets past it."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs one command and exits with its code (returns it where `standalone_mode` is False)."""
        words = list(sys.argv[1:] if args is None else args)
        code = self._answered(words, prog_name or "cpm", extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; being stopped becomes the program's own error, or Typer would swallow it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted(error.args[0] if error.args else signal.SIGINT) from error

    def _answered(self, words: list[str], name: str, extra: dict[str, Any]) -> int:
        as_json = "--json" in words
        try:
            try:
                code = super().main(words or ["--help"], name, standalone_mode=False, **extra)
                _flush()
                if not words:
                    return FAULTS
                return code if isinstance(code, int) else DONE
            except BrokenPipeError:
                raise
            except CallError as error:
                return _faults([_call_fault(error)], as_json)
            except InputError as error:
                return _faults(error.faults, as_json)
            except Interrupted as error:
                return _stopped(error.signal)
            except Exception as error:
                return _defect(error, as_json)
        except (BrokenPipeError, SystemExit):  # Typer leaves with SystemExit where a pipe is closed
            _silence()
            return SIGNAL + signal.SIGPIPE
        except InputError:  # standard output cannot take even the JSON of the faults
            return FAULTS


def _call_fault(error: Any) -> Fault:
    """A mistake in the call as a fault."""
    context = getattr(error, "ctx", None)
    command = "cpm" if context is None else context.command_path
    message = one_line(error.format_message()).rstrip(".?")
    return Fault(command, message[:1].lower() + message[1:], f"see `{command} --help`", code="call")


def _faults(faults: Sequence[Fault], as_json: bool) -> int:
    write_faults(faults)
    if as_json:
        write_json({"status": "faults", "faults": [fault.as_dict() for fault in faults]})
    return FAULTS


def _stopped(number: int) -> int:
    write_error("cpm: stopped")
    return SIGNAL + number


def _defect(error: Exception, as_json: bool) -> int:
    """Tells of a defect in one line; its traceback goes to a file, for whoever mends it."""
    what = one_line(f"{type(error).__name__}: {error}")[:200]
    file = _traceback_file(error)
    details = f"the details are in {file}" if file else "the details could not be written to a file"
    write_error(f"cpm: a defect of ours: {what}; {details}")
    if as_json:
        write_json({"status": "defect", "message": what, "details": file})
    return DEFECT


def _traceback_file(error: Exception) -> str | None:
    import tempfile
    import traceback

    try:
        descriptor, file = tempfile.mkstemp(prefix="cpm-defect-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(traceback.format_exception(error))
    except OSError:
        return None
    return file


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _silence() -> None:
    """Points standard output at nothing, or Python would complain when it closes it on leaving."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # it is no real file, as in a test
        return
