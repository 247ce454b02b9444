"""The operator's edge: the only place that talks to Kubernetes. Watches in, one queue, API writes out."""
