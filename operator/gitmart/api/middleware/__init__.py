"""What stands around every request: who asks, how often, what is kept of answers, what is told of them."""
