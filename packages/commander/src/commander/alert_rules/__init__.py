"""Alert rules: sentences that are on from the start, their limits, and rules of the operator's own."""
