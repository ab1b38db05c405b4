"""Mistakes a user can mend: each is one clear line on the terminal and exit code 2."""

from __future__ import annotations


class UserError(Exception):
    """Bad input of any kind. The message names the file, the key or line, the value and what was expected."""


class WriteError(UserError):
    """A file or folder that cannot be written: no permission, or no space left."""


class ScenarioError(UserError):
    """A scenario that does not follow the schema."""


class DataError(UserError):
    """Behaviour data that cannot be read, fetched or used."""


class ModelError(UserError):
    """Weights or a model configuration that cannot be used."""
