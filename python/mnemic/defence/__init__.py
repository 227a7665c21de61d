"""What must not be remembered, or not be obeyed: secrets, personal data and instruction-like text in what is written."""
