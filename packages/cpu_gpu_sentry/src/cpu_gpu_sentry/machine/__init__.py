"""The machine itself: processor, board, cards."""
