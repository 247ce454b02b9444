"""What workers and whoever starts them agree on. A leaf: it imports nothing of ours."""
