"""Pure decisions: from what was written and what was seen to what the status says. Nothing here does I/O."""
