"""Narratives: filtered, searched and read one by one."""
