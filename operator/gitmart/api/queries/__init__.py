"""What is asked of the marts: one module per subject, each returning models of pydantic. Nothing here knows HTTP."""
