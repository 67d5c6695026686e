"""TEST DOUBLE of a phone that has not allowed this computer: asks for a signature for ever.

Speaks as much of adb's protocol as that takes; ``python locked_phone.py PORT``.
"""

import socket
import struct
import sys
import threading

CONNECT, AUTHENTICATE = b"CNXN", b"AUTH"
TOKEN, SIGNATURE = 1, 2


def message(command: bytes, first: int, second: int, content: bytes) -> bytes:
    number = struct.unpack("<I", command)[0]
    checksum = sum(content) & 0xFFFFFFFF
    return (
        struct.pack("<6I", number, first, second, len(content), checksum, number ^ 0xFFFFFFFF)
        + content
    )


def received(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            raise EOFError
        content += piece
    return content


def serve(connection: socket.socket) -> None:
    while True:
        try:
            header = received(connection, 24)
            command, first, _, size = header[:4], *struct.unpack("<3I", header[4:16])
            received(connection, size)
        except (EOFError, ConnectionError):
            return
        if command == CONNECT or (command == AUTHENTICATE and first == SIGNATURE):
            connection.sendall(message(AUTHENTICATE, TOKEN, 0, bytes(range(20))))


def main() -> None:
    server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
