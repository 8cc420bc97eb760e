#!/usr/bin/python3
"""Holds a UDP and a TCP socket on one port of loopback, as a service manager does, and runs a daemon on them.

    holder.py PORT COMMAND...

SIGHUP has the daemon stop and starts it anew; SIGTERM stops it for good.
"""

import os
import signal
import socket
import sys

port, command = int(sys.argv[1]), sys.argv[2:]
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for held in (datagrams, listener):
    held.bind(("127.0.0.1", port))
listener.listen(4096)


def start():
    child = os.fork()
    if child == 0:
        # Out of the way first: their own numbers may be 3 and 4.
        numbers = [os.dup(held.fileno()) for held in (datagrams, listener)]
        numbers = [os.dup2(number, 10 + at) for at, number in enumerate(numbers)]
        for at, number in enumerate(numbers):
            os.dup2(number, 3 + at, inheritable=True)
        # What is blocked stays so in the program that follows.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="datagrams:connections")
        os.execv(command[0], command)
    return child


signals = {signal.SIGHUP, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
while True:
    child = start()
    received = signal.sigwait(signals)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit("the daemon ended with status %#x" % status)
    if received == signal.SIGTERM:
        sys.exit(0)
