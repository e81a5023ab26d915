"""Commands: what people tell CPU/GPU rigs to do, and the result of each."""
