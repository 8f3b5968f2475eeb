"""Asking remote servers: faults are injected by a real server on 127.0.0.1, waiting is tried in virtual time."""
