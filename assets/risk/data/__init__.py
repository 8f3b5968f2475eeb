"""Reviewed data of the room: historical episodes."""
