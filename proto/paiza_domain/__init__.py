"""The domain: message kinds, code lists, validation, workflows and handling. Pure, without I/O."""
