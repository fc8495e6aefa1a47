"""Run by Python before Patroni: its connections to etcd wait for nothing.

A request to etcd is two segments, the head and the body. Patroni (4.1.5) sets keepalives on these connections in place of the options of its
HTTP library, of which one is TCP_NODELAY: so the kernel keeps the body back until the head is acknowledged, which takes etcd's side 40 ms.
A change of the leader is some eight requests in a row.
"""

import socket

from patroni.dcs.etcd3 import Etcd3

set_keepalive = Etcd3.set_socket_options


def set_socket_options(self, sock, socket_options):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    set_keepalive(self, sock, socket_options)


Etcd3.set_socket_options = set_socket_options
