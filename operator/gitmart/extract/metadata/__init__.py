"""What the REST API of a git host tells of a repository and its contributors, read after the history was stored."""
