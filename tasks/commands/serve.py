"""`aclnet-task serve`: a page to try a model, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.commands.options import echo, pin_run


def serve_command(
    run: Annotated[
        Path,
        typer.Option(
            "--run", "-r", "--model", help="A trained run, or an exported one.", callback=pin_run
        ),
    ],
    gallery: Annotated[
        str | None,
        typer.Option(help="A gallery of this model: people are named, enrolled and removed."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder of a report to browse (`aclnet-task report`).")
    ] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder of run folders to browse.")] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; any other than this machine's own requires a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free port.")] = 8765,
    ask_token: Annotated[
        bool,
        typer.Option(
            "--ask-token",
            help="Require a token on this machine too, if others have accounts on it.",
        ),
    ] = False,
    most_mib: Annotated[int, typer.Option(min=1, max=1_024, help="Largest upload, in MiB.")] = 16,
    top: Annotated[
        int, typer.Option(min=1, max=100, help="Number of actions or people per answer.")
    ] = 5,
    false_alarms: Annotated[
        float,
        typer.Option(
            help="Share of known actions that may be called unknown, if the run is calibrated."
        ),
    ] = 0.05,
) -> None:
    """Serve a page to try a model: drop a file of key points, and see what it shows.

    What is uploaded is deleted as soon as it is answered; only who is enrolled is kept. Pickles are
    not taken. Ctrl-C ends it.
    """
    try:
        from tasks.serve.app import make_app
        from tasks.serve.listening import listen, serve
    except ImportError:
        raise ValueError("the page needs starlette and uvicorn: install aclnet[page]") from None
    from tasks.serve.access import Access
    from tasks.serve.browse import Places
    from tasks.serve.desk import Desk

    places = Places(report, runs)
    desk = Desk(run, gallery, top, false_alarms)
    with listen(host, port) as socket:
        access = Access.of(socket, ask_token)
        app = make_app(desk, places, access, most_mib << 20)
        echo(f"serving on {access.address} (Ctrl-C ends it)")
        if access.token:
            echo(f"token: {access.token}")
        try:
            serve(app, socket)
        finally:
            desk.close()
