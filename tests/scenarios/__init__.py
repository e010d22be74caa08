"""What happens to districts, told as data: one file a scenario."""
