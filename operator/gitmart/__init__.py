"""Git histories as tested analytics in PostgreSQL, run the Kubernetes way."""

__version__ = "0.1.0"
