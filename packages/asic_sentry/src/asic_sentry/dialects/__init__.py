"""What each family of ASICs speaks: bytes in, struct out, one file per family."""
