"""Builders of Jobs, CronJobs and pods: from a resource and the administrator's settings to plain JSON values."""
