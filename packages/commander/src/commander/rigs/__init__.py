"""CPU/GPU rigs: records, tokens, figures, pages."""
