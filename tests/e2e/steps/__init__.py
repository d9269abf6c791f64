"""What each side does on the way of `test_journey_flights`, page by page."""
