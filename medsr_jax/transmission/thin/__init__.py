"""Thin packets: the shortest header and the naked code stream, from which the standard file can be rebuilt."""
