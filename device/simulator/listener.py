"""The page's port, taken before anything else is started: if it cannot be had, nothing has to be undone."""

import errno
import socket

from device.errors import LatidoError


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1 (port 0: any free one). Raises LatidoError when the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OverflowError):
            raise LatidoError(f"--port must be 0..65535, got {port}") from error
        other = port + 1 if port < 65535 else port - 1
        reason = (
            "is already in use, perhaps by another Latido"
            if error.errno == errno.EADDRINUSE
            else f"is refused ({error.strerror})"
        )
        raise LatidoError(f"port {port} {reason}: close that one, or choose another with --port {other}") from error
    return listener
