"""The viser server: quiet, on the given address only, without viser's public tunnel."""

from __future__ import annotations

import contextlib
import io
import socket

import viser

from sem_field_ros.errors import ViewerError


def start_server(host: str, port: int, title: str) -> viser.ViserServer:
    """Start it; on the next free port if `port` is in use. Raises ViewerError for another machine's `host`."""
    try:
        with socket.create_server((host, 0)):
            pass
    except OSError as error:
        raise ViewerError(f"cannot listen on {host}: {error.strerror or error}; use 127.0.0.1 or 0.0.0.0") from error
    with contextlib.redirect_stdout(io.StringIO()):  # its banner: the command prints a line of its own
        server = viser.ViserServer(host, port, label=title, verbose=False)
    # Any browser may ask viser for a public tunnel to the page: a robot's map must not leave the robot's network.
    server.request_share_url = lambda verbose=True: None  # type: ignore[method-assign]
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    server.gui.set_panel_label(title)
    server.gui.main_panel.dock_right()
    return server


def stop_server(server: viser.ViserServer) -> None:
    """End it, and every connection."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()
