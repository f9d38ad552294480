"""The names of a mail domain without a DNS: an HTTP proxy that knows where each host is, as a company's proxy does."""
import socket
import threading


class Names:
    """CONNECT to a known name goes to its address, whatever the port; `http://NAME/…` is redirected where told."""

    def __init__(self):
        self.hosts, self.redirects, self.asked = {}, {}, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                octet = client.recv(1)
                if not octet:
                    return
                head += octet
            method, target = head.decode().split(" ")[:2]
            self.asked.append(target)
            host = target.rsplit(":", 1)[0] if method == "CONNECT" else target.split("/")[2]
            if method != "CONNECT":
                to = self.redirects.get(host)
                answer = f"302 Found\r\nLocation: {to}" if to else "502 Bad Gateway"
                client.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            if host not in self.hosts:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with socket.create_connection(self.hosts[host]) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=copy, args=(server, client), daemon=True)
                back.start()
                copy(client, server)
                back.join()


def copy(source, target):
    try:
        while octets := source.recv(65536):
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
