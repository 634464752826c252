"""Reading an answer and judging it: one verifier a file, pure functions, shared by reward and evaluation."""
