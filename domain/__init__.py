"""What is true: events, states, laws and exact arithmetic. Pure: same input, same bytes."""
