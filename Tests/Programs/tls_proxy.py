"""Speaks TLS in a server's place and passes the bytes on: CERT KEY AUTHORITY|- VERSION PORT.

Clients must show a certificate of AUTHORITY unless that is `-`; VERSION, 1.2 or 1.3, is the newest
that is spoken; PORT is that of the server on this machine. The first line of output tells the port.
"""

import socket
import ssl
import sys
import threading


def copy(source, target):
    try:
        while block := source.recv(1 << 16):
            target.sendall(block)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(connection, context, port):
    try:
        client = context.wrap_socket(connection, server_side=True)
        server = socket.create_connection(("127.0.0.1", port))
    except OSError as error:
        print(error, flush=True)
        connection.close()
        return
    threading.Thread(target=copy, args=(client, server), daemon=True).start()
    copy(server, client)


def main():
    certificate, key, authority, version, port = sys.argv[1:6]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authority != "-":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority)
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"port={listener.getsockname()[1]}", flush=True)
    while True:
        connection, _ = listener.accept()
        arguments = (connection, context, int(port))
        threading.Thread(target=serve, args=arguments, daemon=True).start()


main()
