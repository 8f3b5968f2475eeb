"""What a policy would have done: walked forward over the stored history, beside equal weight and the benchmark."""
