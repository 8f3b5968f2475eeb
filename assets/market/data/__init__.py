"""Reviewed data of this room; README.md says where each file is from."""
