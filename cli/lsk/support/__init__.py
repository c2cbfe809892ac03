"""Options, tables and messages that the commands share."""
