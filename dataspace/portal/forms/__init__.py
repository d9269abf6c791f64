"""What people fill in: shape and bounds only. Whether a step is allowed is the services' to say."""
