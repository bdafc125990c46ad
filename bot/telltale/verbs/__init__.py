"""One module per verb: `run(invocation) -> int`, its flow as a list of named steps."""
