"""What forgetting, erasing and leaving cost, and what it costs those who stay."""
