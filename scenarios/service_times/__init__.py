"""Tables of service times: dated measurements of LLM engines, kept outside the code."""

from scenarios.service_times.table import Table, names, table

__all__ = ["Table", "names", "table"]
