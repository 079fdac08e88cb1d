"""Planning and sending in a process of their own, so that whoever asks the service never waits for them."""
