"""One module per revision, in order; none is changed once it was released."""
