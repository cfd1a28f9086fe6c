"""The command line: it only translates between words and the functions of the other stages.

Importing this package costs next to nothing. `app` is the Typer application; `main` is the console script `cpm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

    app: typer.Typer

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command in sys.argv and exits with its code; stopped by a signal, with 128 and the signal's number."""
    try:
        import signal
        import sys

        # Ctrl-C raises KeyboardInterrupt by itself. SIGTERM is to take the same way, which no library swallows.
        def stop(number: int, frame: object) -> None:
            raise KeyboardInterrupt(number)

        signal.signal(signal.SIGTERM, stop)
        from cpm_opt.cli.application import app

        app(prog_name="cpm")
    except KeyboardInterrupt as error:
        sys.exit(128 + (error.args[0] if error.args else signal.SIGINT))


def __getattr__(name: str) -> object:
    # Typer is imported when the application is first asked for, so that `main` is ready for signals before.
    if name == "app":
        from cpm_opt.cli.application import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
