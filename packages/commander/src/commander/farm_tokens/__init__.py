"""Farm tokens: with one of them, many rigs enroll by themselves."""
