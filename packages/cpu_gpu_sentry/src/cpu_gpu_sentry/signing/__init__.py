"""The commander's signatures: which key this sentry keeps to, and which items of the inbox it takes."""
