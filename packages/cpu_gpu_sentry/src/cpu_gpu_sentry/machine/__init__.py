"""What the machine itself is and does: processor, board, cards."""
