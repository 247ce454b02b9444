"""The REST API: one router per subject. Nothing here knows SQL."""
