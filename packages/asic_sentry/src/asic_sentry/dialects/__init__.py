"""The dialects of ASICs: one file per firmware, with its questions and the parsers of the answers."""
