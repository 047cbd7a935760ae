"""The source workbook: checked against its tracked checksum, read, and dealt into shards.

``checksum`` and ``shards`` stay light, as every command and job imports them; only the job that reads the
workbook imports ``workbook``, ``narratives`` and, with them, pandas.
"""
